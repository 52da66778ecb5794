"""A model folder: all that a model is used with, and nothing that could run code.

config.json         format, kind and toolkit version, the resolved model node, what else its kind needs
model.safetensors   the weights, every shared tensor once
tokenizer.model     and whatever other files its kind puts beside them
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from seq2seq import __version__
from seq2seq.config import build
from seq2seq.durable import listed, put, storing, sync
from seq2seq.errors import ConfigError, ModelError

Model = TypeVar("Model", bound=nn.Module)

FORMAT = 1  # raised when an older toolkit could not read the folder any more
CONFIG, WEIGHTS = "config.json", "model.safetensors"
RUN_MODEL = "model"  # where a run folder keeps its model folder
USED_BY = {  # the kinds of models, and the command that uses each
    "translator": "translate",
    "language_model": "score",
    "classifier": "label",
    "tagger": "label",
    "generator": "generate",
}


class Opened(NamedTuple):
    """A model folder's place, its checked config.json, and its weights (they stay in the file until they are used)."""

    place: Path
    content: dict[str, Any]
    weights: dict[str, Tensor]

    @property
    def node(self) -> dict[str, Any]:
        """What builds the model."""
        node: dict[str, Any] = self.content["model"]
        return node


def write(
    folder: Path, kind: str, model: nn.Module, content: Mapping[str, Any], accompany: Callable[[Path], None]
) -> None:
    """Writes a model folder whole: beside its place first, synced, then renamed, the older folder giving way.

    `content` is any JSON; its key `model` is the node that builds `model`. `accompany(folder)` writes further files.
    Raises StorageError.
    """
    assert kind in USED_BY, kind
    config = {"format": FORMAT, "kind": kind, "toolkit": __version__, **content}
    partial, previous = _beside(folder, "partial"), _beside(folder, "previous")
    with storing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for stale in (partial, previous) if folder.exists() else (partial,):
            shutil.rmtree(stale, ignore_errors=True)
        try:
            _write(partial, config, model, accompany)
            if folder.exists():
                folder.rename(previous)
            put(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # where the disk is full, its space is needed
        shutil.rmtree(previous, ignore_errors=True)


def read(folder: Path, *kinds: str) -> Opened:
    """What a model folder, or the one inside a run folder, holds.

    Raises ModelError where anything is missing, damaged, of another format or of none of the `kinds`.
    """
    place = find(folder)
    content = _read_config(place)
    if content["kind"] not in kinds:
        use = USED_BY.get(content["kind"])
        advice = f"use it with `seq2seq {use}`" if use else "this toolkit knows no such kind"
        raise ModelError(f"{place}: expected a {' or '.join(kinds)}, found a {content['kind']}: {advice}")
    opened = Opened(place, content, _read_weights(place))
    most = max(_numbers(opened.node), default=0)
    if most > sum(tensor.numel() for tensor in opened.weights.values()):
        raise ModelError(f"{place / CONFIG}: model: the size {most} exceeds all weights in {WEIGHTS} together")
    return opened


def assemble(opened: Opened, kind: type[Model]) -> Model:
    """The model itself, in evaluation mode. Raises ModelError where node and weights do not fit together."""
    try:
        model = build(opened.node, where="model")
    except (ConfigError, RuntimeError, MemoryError, OverflowError, ValueError, TypeError) as error:
        raise ModelError(f"{opened.place / CONFIG}: describes no model of this toolkit: {error}") from error
    if not isinstance(model, kind):
        raise ModelError(f"{opened.place / CONFIG}: model: {opened.node['_target_']} is no {kind.__name__}")
    _fill(model, opened.weights, opened.place / WEIGHTS)
    return model.eval()


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


def expect(opened: Opened, kinds: Mapping[str, type]) -> None:
    """Raises ModelError unless config.json has these keys with values of these types."""
    for key, kind in kinds.items():
        if not isinstance(opened.content.get(key), kind):
            found = opened.content.get(key)
            raise ModelError(f"{opened.place / CONFIG}: {key}: expected a {kind.__name__}, got {found!r}")


def _write(folder: Path, config: Mapping[str, Any], model: nn.Module, accompany: Callable[[Path], None]) -> None:
    """The files of a model folder, each on the disk."""
    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    accompany(folder)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(model)}, folder / WEIGHTS)
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)  # safetensors lets only the owner read
    for path in listed(folder):
        sync(path)


def _read_config(place: Path) -> dict[str, Any]:
    """The content of config.json, which says what it is."""
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
    config.setdefault("kind", "translator")  # 0.1 knew no other
    expect(Opened(place, config, {}), {"kind": str, "toolkit": str, "model": dict})
    return config


def _read_weights(place: Path) -> dict[str, Tensor]:
    path = place / WEIGHTS
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; copy the folder again") from error


def _fill(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
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


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
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
