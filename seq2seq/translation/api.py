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
    """The translator in a run folder or model folder, on the GPU where there is one; an ensemble of several.

    search: the name of a file in conf/search (`"greedy"`), or its keys with that name, `{"search": "beam", "beam_size":
    10, "n_best": 10}`, those left out as in the file; None is beam. number_format: of the large products, auto, fp32,
    bf16 or int8. weights: how much each of several models counts; None: all alike. Raises ModelError where the folder
    cannot be used, ConfigError where the search or the weights are not allowed, or the processor does not multiply in
    the number format.
    """
    folders = [folder] if isinstance(folder, str | Path) else folder
    chosen = _search(search) if search is None or isinstance(search, str | Mapping) else search
    return assemble([place(one) for one in folders], weights, chosen, _defaults("translator/default"), number_format)


def _search(wanted: str | Mapping[str, object] | None) -> Search:
    """A search by its name and the keys that differ from its file. Raises ConfigError."""
    given = dict(wanted) if isinstance(wanted, Mapping) else {}
    name = given.pop("search", "beam") if isinstance(wanted, Mapping) else wanted or "beam"
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
    """The same from parts: `weights` of the folders' models (None: alike), `translator` like its default YAML.

    `added` puts around the network what else counts.
    Raises ModelError where models of an ensemble do not share tokenizer and a direction.
    """
    device = default_device()
    wanted = products(number_format, device)
    result = [model_folder.load(folder) for folder in folders]
    for other in result[1:]:
        if other.tokenizer.models != result[0].tokenizer.models:
            raise ModelError(
                f"model: {', '.join(map(str, folders))} have different tokenizers: the models of an ensemble must be "
                "trained on the same prepared text"
            )
    directions = [one for one in result[0].directions if all(one in other.directions for other in result)]
    if not directions:
        raise ModelError(f"model: {', '.join(map(str, folders))} have no direction in common")
    models = [_ready(one.model, wanted, device) for one in result]
    alone = len(models) == 1 and weights is None
    network = models[0] if alone else Ensemble(models, weights or [1.0] * len(models))
    extra = {
        "model": added(network, result[0].tokenizer) if added else network,
        "tokenizer": result[0].tokenizer,
        "search": search,
        "directions": directions,
        "dtype": precision("auto" if wanted == "int8" else wanted, device),
        "device": device,
        "languages": result[0].languages,
        "learnt_shortlist": result[0].shortlist,  # an ensemble has no use for it
        "letterless": {
            one for each in result for one in (each.directions if each.letterless is None else each.letterless)
        },
        "usage": shared_usage([one.usage for one in result]),
        "lengths": shared([one.lengths for one in result]),
    }
    built: Translator = build(translator, extra, "translator")()
    return built


def _ready(model: Model, wanted: Format, device: torch.device) -> Model:
    """The model where it is to search, its matrices packed where a CPU gains by that."""
    if device.type == "cpu" and packs():
        optimise_for_inference(model, wanted)
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
    """A node of conf/, with the members of its groups that its own defaults list names, as Hydra composes it."""
    node: dict[str, Any] = yaml.safe_load((configuration_folder() / f"{name}.yaml").read_text("utf-8"))
    folder = name.rpartition("/")[0]
    for group in node.pop("defaults", []):
        if isinstance(group, dict):
            [(key, member)] = group.items()
            node.setdefault(key, _defaults(f"{folder}/{key}/{member}"))
    return node
