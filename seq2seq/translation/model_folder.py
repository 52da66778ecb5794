"""A model folder: all that a translator needs, and nothing that could run code.

config.json         format and toolkit version, the resolved model node, languages, directions, score table
model.safetensors   the weights, every shared tensor once
tokenizer.model     sentencepiece (or tokenizer.source.model and tokenizer.target.model)
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seq2seq import __version__
from seq2seq.config import build
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError, ModelError
from seq2seq.network.model import Model

FORMAT = 1  # raised when an older toolkit could not read the folder any more
CONFIG, WEIGHTS = "config.json", "model.safetensors"
RUN_MODEL = "model"  # where a run folder keeps its model folder


class ModelFolder(NamedTuple):
    """What a model folder holds: `node` is the resolved model node with its vocabulary sizes."""

    model: Model
    tokenizer: Tokenizer
    directions: list[tuple[str, str]]
    node: dict[str, Any]
    scores: dict[str, Any]
    toolkit: str


def save(
    folder: Path,
    model: Model,
    node: Mapping[str, Any],
    tokenizer: Tokenizer,
    directions: Sequence[tuple[str, str]],
    scores: Mapping[str, Any],
) -> None:
    """Writes a model folder whole: beside its place first, synced, then renamed, the older folder giving way.

    `node` builds `model` once the tokenizer's sizes are added; `scores` is any JSON (`{"valid": {"bleu": 31.2}}`).
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial, previous = _beside(folder, "partial"), _beside(folder, "previous")
    for stale in (partial, previous) if folder.exists() else (partial,):
        shutil.rmtree(stale, ignore_errors=True)
    partial.mkdir()
    source, target = tokenizer.sizes
    config = {
        "format": FORMAT,
        "toolkit": __version__,
        "languages": tokenizer.languages,
        "directions": [list(direction) for direction in directions],
        "scores": dict(scores),
        "model": {**node, "source_vocabulary": source, "target_vocabulary": target},
    }
    (partial / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    tokenizer.save(partial)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(model)}, partial / WEIGHTS)
    (partial / WEIGHTS).chmod((partial / CONFIG).stat().st_mode)  # safetensors lets only the owner read
    for path in [*partial.iterdir(), partial]:
        _sync(path)
    if folder.exists():
        folder.rename(previous)
    partial.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(previous, ignore_errors=True)


def load(folder: Path) -> ModelFolder:
    """Reads a model folder, or the one inside a run folder; weights stay in the file until they are used.

    The model is ready to translate (evaluation mode). Raises ModelError where anything is missing, damaged, of another
    format, or does not fit together.
    """
    place = find(folder)
    config = _read_config(place)
    tokenizer = Tokenizer.load(place)
    node, weights = config["model"], _read_weights(place)
    if (node.get("source_vocabulary"), node.get("target_vocabulary")) != tokenizer.sizes:
        raise ModelError(
            f"{place}: the model's vocabulary sizes are not the tokenizer's {tokenizer.sizes}; copy it again"
        )
    most = max(_numbers(node), default=0)
    if most > sum(tensor.numel() for tensor in weights.values()):
        raise ModelError(f"{place / CONFIG}: model: the size {most} exceeds all weights in {WEIGHTS} together")
    model = _build(node, place)
    _fill(model, weights, place / WEIGHTS)
    directions = [(source, target) for source, target in config["directions"]]
    for language in {language for direction in directions for language in direction}:
        if language not in tokenizer.languages:
            raise ModelError(f"{place / CONFIG}: directions: the tokenizer does not know the language {language!r}")
    return ModelFolder(model.eval(), tokenizer, directions, node, config["scores"], config["toolkit"])


def find(folder: Path) -> Path:
    """The model folder that `folder` is, holds (a run folder), or was about to be replaced by when the power failed."""
    for place in (folder, folder / RUN_MODEL):
        for candidate in (place, _beside(place, "previous")):
            if (candidate / CONFIG).is_file():
                return candidate
    if not folder.exists():
        raise ModelError(f"{folder}: no such folder; give a run folder or a model folder, written by seq2seq train")
    if (folder / RUN_MODEL).exists() or (folder / WEIGHTS).exists():
        raise ModelError(f"{folder}: the model folder has no {CONFIG}; copy the whole folder again")
    raise ModelError(f"{folder}: neither a model folder ({CONFIG}, {WEIGHTS}) nor a run that has saved a model yet")


def _read_config(place: Path) -> dict[str, Any]:
    """The checked content of config.json."""
    path = place / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read as JSON: {error}; copy the folder again") from error
    if not isinstance(config, dict) or "format" not in config:
        raise ModelError(f"{path}: expected an object with the key format; this is no model folder of seq2seq")
    if config["format"] != FORMAT:
        raise ModelError(
            f"{path}: format {config['format']!r} of toolkit {config.get('toolkit')!r} is not format {FORMAT}, "
            f"the only one that seq2seq {__version__} reads; install the toolkit that wrote it"
        )
    for key, kind in (("toolkit", str), ("languages", list), ("directions", list), ("scores", dict), ("model", dict)):
        if not isinstance(config.get(key), kind):
            raise ModelError(f"{path}: {key}: expected a {kind.__name__}, got {config.get(key)!r}")
    if not config["directions"] or not all(_is_direction(one) for one in config["directions"]):
        raise ModelError(f"{path}: directions: expected pairs like ['en', 'de'], got {config['directions']!r}")
    return config


def _is_direction(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(language, str) for language in value)


def _read_weights(place: Path) -> dict[str, Tensor]:
    path = place / WEIGHTS
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; copy the folder again") from error


def _build(node: dict[str, Any], place: Path) -> Model:
    """The model that config.json describes, with whatever weights."""
    try:
        model = build(node, where="model")
    except (ConfigError, RuntimeError, MemoryError, OverflowError, ValueError, TypeError) as error:
        raise ModelError(f"{place / CONFIG}: describes no model of this toolkit: {error}") from error
    if not isinstance(model, Model):
        raise ModelError(f"{place / CONFIG}: model: {node['_target_']} is no translation model")
    return model


def _fill(model: Model, weights: dict[str, Tensor], path: Path) -> None:
    """Gives the model its weights without copying: every process that reads the file shares its pages."""
    wanted = dict(_tensors(model))
    if missing := sorted(wanted.keys() - weights.keys()):
        raise ModelError(f"{path}: lacks {len(missing)} of the model's tensors, among them {missing[0]}; copy it again")
    if unknown := sorted(weights.keys() - wanted.keys()):
        raise ModelError(f"{path}: holds {len(unknown)} tensors that the model lacks, among them {unknown[0]}")
    for name, tensor in wanted.items():
        found = weights[name]
        if (found.shape, found.dtype) != (tensor.shape, tensor.dtype):
            raise ModelError(
                f"{path}: {name}: expected {tuple(tensor.shape)} of {tensor.dtype}, found {tuple(found.shape)} of "
                f"{found.dtype}; the weights belong to another {CONFIG}"
            )
        tensor.data = found


def _tensors(model: Model) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the model's state once, however many names share it."""
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name, tensor


def _numbers(node: object) -> Iterator[int]:
    """All ints in a nested node."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from _numbers(part)
    elif isinstance(node, int):
        yield node


def _beside(folder: Path, word: str) -> Path:
    folder = folder.absolute()  # "." has no name
    return folder.parent / f".{folder.name}.{word}"


def _sync(path: Path) -> None:
    """What was written reaches the disk before anything is renamed."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
