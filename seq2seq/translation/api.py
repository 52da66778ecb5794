"""The toolkit from Python: `seq2seq.load("runs/ende").translate(lines, source="en", target="de")`."""

from pathlib import Path
from typing import Any

import yaml

from seq2seq.config import build, configuration_folder
from seq2seq.device import default_device, precision
from seq2seq.search.base import Search
from seq2seq.translation import model_folder
from seq2seq.translation.translator import Translator


def load(folder: str | Path, search: Search | None = None, number_format: str = "auto") -> Translator:
    """The translator in a run folder or model folder, on the GPU where there is one.

    search: for instance `seq2seq.search.greedy.Greedy(2.0, 10)`; without one that of conf/search/beam.yaml.
    number_format: of the large products, auto, fp32 or bf16. Raises ModelError where the folder cannot be used.
    """
    chosen = search or build(_defaults("search/beam"), where="search")
    return assemble(Path(folder), chosen, _defaults("translator/default"), number_format)


def assemble(folder: Path, search: Search, translator: dict[str, Any], number_format: str) -> Translator:
    """The same from parts: `translator` is a node like conf/translator/default.yaml."""
    found = model_folder.load(folder)
    device = default_device()
    extra = {
        "model": found.model.to(device),
        "tokenizer": found.tokenizer,
        "search": search,
        "directions": found.directions,
        "dtype": precision(number_format, device),
        "device": device,
    }
    built: Translator = build(translator, extra, "translator")()
    return built


def _defaults(name: str) -> dict[str, Any]:
    """A node of conf/."""
    node: dict[str, Any] = yaml.safe_load((configuration_folder() / f"{name}.yaml").read_text("utf-8"))
    return node
