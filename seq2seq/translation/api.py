"""The toolkit from Python: `seq2seq.load("runs/ende").translate(lines, source="en", target="de")`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from seq2seq.config.build import build, configuration_folder, suggestion
from seq2seq.config.typecheck import place
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import Format, default_device, packs, precision, products
from seq2seq.errors import ConfigError, ModelError
from seq2seq.network.ensemble import Ensemble
from seq2seq.network.inference.optimise import optimise_for_inference
from seq2seq.network.model import Model
from seq2seq.network.state import AutoregressiveModel
from seq2seq.search.base import Search
from seq2seq.translation import folder as model_folder
from seq2seq.translation.checks.completeness import shared
from seq2seq.translation.checks.usage import shared_usage
from seq2seq.translation.translator import Translator


def load(
    folder: str | Path | Sequence[str | Path],
    search: Search | str | Mapping[str, object] | None = None,
    number_format: str = "auto",
    weights: Sequence[float] | None = None,
) -> Translator:
    """Loads a translator from a run folder or a model folder, on the GPU if there is one.

    Args:
        folder: Run folder or model folder; several form an ensemble.
        search: Name of a search (a file of conf/search, such as `"greedy"`), or that name with keys that differ from
            the file, `{"search": "beam", "beam_size": 10, "n_best": 10}`. None: beam.
        number_format: Of the large matrix products: auto, fp32, bf16 or int8.
        weights: Of the models of an ensemble. None: equal.

    Raises:
        ModelError: The folder is missing, damaged or of another kind, or the models do not fit together.
        ConfigError: An unknown search or key, weights that do not fit, or a format that the processor lacks.
    """
    folders = [folder] if isinstance(folder, str | Path) else folder
    built = build_search(search) if search is None or isinstance(search, str | Mapping) else search
    return assemble([place(path) for path in folders], weights, built, _defaults("translator/default"), number_format)


def build_search(search: str | Mapping[str, object] | None) -> Search:
    """A search from its name and the keys that differ from its file. Raises ConfigError."""
    given = dict(search) if isinstance(search, Mapping) else {}
    name = given.pop("search", "beam") if isinstance(search, Mapping) else search or "beam"
    names = sorted(path.stem for path in (configuration_folder() / "search").glob("*.yaml"))
    if name not in names:
        raise ConfigError(f"search: expected one of {', '.join(names)}, got {name!r}{suggestion(str(name), names)}")
    result: Search = build(_merged(_defaults(f"search/{name}"), given), where="search")
    return result


def assemble(
    folders: Sequence[Path],
    weights: Sequence[float] | None,
    search: Search,
    translator: dict[str, Any],
    number_format: str,
    added: Callable[[Model | Ensemble, Tokenizer], AutoregressiveModel] | None = None,
) -> Translator:
    """A translator from model folders and a translator node.

    `weights`: of the models, None for equal ones. `translator`: a node like conf/translator/default.yaml. `added` wraps
    the network (fusion, coverage penalty). Raises ModelError if the models do not share their tokenizer and at least
    one direction.
    """
    device = default_device()
    product_format = products(number_format, device)
    loaded = [model_folder.load(folder) for folder in folders]
    first = loaded[0]
    for other in loaded[1:]:
        if other.tokenizer.models != first.tokenizer.models:
            raise ModelError(
                f"model: {', '.join(map(str, folders))} have different tokenizers: the models of an ensemble must be "
                "trained on the same prepared text"
            )
    directions = [pair for pair in first.directions if all(pair in other.directions for other in loaded)]
    if not directions:
        raise ModelError(f"model: {', '.join(map(str, folders))} have no direction in common")
    models = [_ready(one.model, product_format, device) for one in loaded]
    single = len(models) == 1 and weights is None
    network = models[0] if single else Ensemble(models, weights or [1.0] * len(models))
    extra = {
        "model": added(network, first.tokenizer) if added else network,
        "tokenizer": first.tokenizer,
        "search": search,
        "directions": directions,
        "dtype": precision("auto" if product_format == "int8" else product_format, device),
        "device": device,
        "languages": first.languages,
        "learnt_shortlist": first.shortlist,  # unused by an ensemble
        "letterless": {
            pair for one in loaded for pair in (one.directions if one.letterless is None else one.letterless)
        },
        "usage": shared_usage([one.usage for one in loaded]),
        "lengths": shared([one.lengths for one in loaded]),
    }
    built: Translator = build(translator, extra, "translator")()
    return built


def _ready(model: Model, product_format: Format, device: torch.device) -> Model:
    """The model on its device, with packed matrices if the CPU multiplies them faster."""
    if device.type == "cpu" and packs():
        optimise_for_inference(model, product_format)
    return model.to(device)


def _merged(node: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The node with the given keys, also those of nodes inside it."""
    inner = {
        key: _merged(node[key], value)
        for key, value in given.items()
        if isinstance(value, Mapping) and isinstance(node.get(key), Mapping)
    }
    return {**node, **given, **inner}


def _defaults(name: str) -> dict[str, Any]:
    """A node of conf/ with its default groups, as Hydra composes it."""
    node: dict[str, Any] = yaml.safe_load((configuration_folder() / f"{name}.yaml").read_text("utf-8"))
    folder = name.rpartition("/")[0]
    for group in node.pop("defaults", []):
        if isinstance(group, dict):
            [(key, member)] = group.items()
            node.setdefault(key, _defaults(f"{folder}/{key}/{member}"))
    return node
