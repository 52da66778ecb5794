"""The toolkit from Python: `seq2seq.load("runs/ende").translate(lines, source="en", target="de")`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from seq2seq.config import build, configuration_folder
from seq2seq.device import default_device, precision
from seq2seq.errors import ModelError
from seq2seq.network.ensemble import Ensemble
from seq2seq.search.base import Search
from seq2seq.translation import model_folder
from seq2seq.translation.translator import Translator


def load(
    folder: str | Path | Sequence[str | Path], search: Search | None = None, number_format: str = "auto"
) -> Translator:
    """The translator in a run folder or model folder, on the GPU where there is one; an ensemble of several.

    search: for instance `seq2seq.search.greedy.Greedy(2.0, 10, 0.0, 0)`; without one that of conf/search/beam.yaml.
    number_format: of the large products, auto, fp32 or bf16. Raises ModelError where the folder cannot be used.
    """
    chosen = search or build(_defaults("search/beam"), where="search")
    folders = [folder] if isinstance(folder, str | Path) else folder
    return assemble([Path(one) for one in folders], None, chosen, _defaults("translator/default"), number_format)


def assemble(
    folders: Sequence[Path],
    weights: Sequence[float] | None,
    search: Search,
    translator: dict[str, Any],
    number_format: str,
) -> Translator:
    """The same from parts: `weights` of the folders' models (None: alike), `translator` like its default YAML.

    Raises ModelError where models of an ensemble do not share tokenizer and a direction.
    """
    found = [model_folder.load(folder) for folder in folders]
    for other in found[1:]:
        if other.tokenizer.models != found[0].tokenizer.models:
            raise ModelError(
                f"model: {', '.join(map(str, folders))} have different tokenizers: the models of an ensemble must be "
                "trained on the same prepared text"
            )
    directions = [one for one in found[0].directions if all(one in other.directions for other in found)]
    if not directions:
        raise ModelError(f"model: {', '.join(map(str, folders))} have no direction in common")
    device = default_device()
    models = [one.model.to(device) for one in found]
    extra = {
        "model": models[0]
        if len(models) == 1 and weights is None
        else Ensemble(models, weights or [1.0] * len(models)),
        "tokenizer": found[0].tokenizer,
        "search": search,
        "directions": directions,
        "dtype": precision(number_format, device),
        "device": device,
    }
    built: Translator = build(translator, extra, "translator")()
    return built


def _defaults(name: str) -> dict[str, Any]:
    """A node of conf/."""
    node: dict[str, Any] = yaml.safe_load((configuration_folder() / f"{name}.yaml").read_text("utf-8"))
    return node
