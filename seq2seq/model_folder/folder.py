"""A model folder: everything needed to use a model, and nothing that could run code.

config.json         format, kind and toolkit version, the resolved model node, facts of its kind, checksums
model.safetensors   the weights, every shared tensor once
tokenizer.model     and other files of its kind
README.md           the model card: config.json for people

Unknown keys and files are ignored, so that newer versions may add some within a format.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

from seq2seq._version import __version__
from seq2seq.config.aliases import current_name
from seq2seq.config.build import TARGET, build
from seq2seq.errors import ModelError
from seq2seq.io.atomic import listed, locked, put, storing, sync
from seq2seq.model_folder.card import card
from seq2seq.model_folder.config import CONFIG, FORMATS, SUMS, expect_types, read_config, sealed
from seq2seq.model_folder.skip_init import SkipInit
from seq2seq.model_folder.weights import Precision, read_weights, write_weights

Model = TypeVar("Model", bound=nn.Module)

WEIGHTS, CARD = "model.safetensors", "README.md"
LARGEST = 256 << 20  # bytes of a file that is read into memory
PARTS = ("seq2seq.network.", "seq2seq.plugins.")  # networks consist of these; no other code is run
AS_IT_WAS = "the model itself is as it was"
RUN_MODEL = "model"  # where a run folder keeps its model folder
USED_BY = {  # the kinds of models, and the command that uses each
    "translator": "translate",
    "language_model": "score",
    "classifier": "label",
    "tagger": "label",
    "generator": "generate",
}


class StoredModel(NamedTuple):
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
    """Writes a model folder atomically: to a temporary folder, synced, then renamed; an older folder is replaced.

    `content`: any JSON; its key `model` is the node that builds `model`. `accompany(folder)` writes further files.
    Raises StorageError.
    """
    assert kind in USED_BY, kind
    _replace(folder, {"kind": kind, **content}, dict(_tensors(model)), "fp32", accompany)


def convert(opened: StoredModel, folder: Path, precision: Precision) -> None:
    """Writes what was opened once more, with weights of another precision; files of other names are copied.

    The same folder and precision give the same bytes. Raises StorageError.
    """
    kept = [path for path in listed(opened.place) if path.is_file() and path.name not in (CONFIG, WEIGHTS, CARD)]

    def accompany(place: Path) -> None:
        for path in kept:
            shutil.copyfile(path, place / path.name)

    before = {"precision": opened.content["precision"], "sha256": opened.content[SUMS].get(WEIGHTS)}
    history = {} if precision == before["precision"] else {"exported_from": before}
    _replace(folder, {**opened.content, **history}, opened.weights, precision, accompany)


def amend(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    """Replaces the content of config.json by the result of `change`, and updates the card; one process at a time.

    A card that was edited by hand is kept: then, and only then, the result is false. Raises ModelError or StorageError.
    """
    with _held(folder) as place:
        before = read_config(place)
        edited = (place / CARD).is_file() and (place / CARD).read_bytes() != card(before).encode()
        after = change(before)
        with storing(place, AS_IT_WAS):
            for name, text in (CONFIG, sealed(after, before.get(SUMS, {}))), (CARD, card(after)):
                if name == CONFIG or not edited:
                    _put(place / name, text.encode())
    return not edited


def add(folder: Path, name: str, content: bytes) -> Path:
    """Adds or replaces a file of a model folder; returns its path.

    The folder can be read at any moment: while the file is exchanged, it has no checksum. Raises ModelError or
    StorageError.
    """
    with _held(folder) as place, storing(place, AS_IT_WAS):
        config = read_config(place)
        sums = {other: one for other, one in config.get(SUMS, {}).items() if other != name}
        _put(place / CONFIG, sealed(config, sums).encode())
        _put(place / name, content)
        _put(place / CONFIG, sealed(config, sums and {**sums, name: _sum(place / name)}).encode())
    return place / name


@contextmanager
def _held(folder: Path) -> Iterator[Path]:
    """The model folder, which no other process changes or replaces meanwhile: the folder around it is locked."""
    with locked(find(folder).absolute().parent):
        yield find(folder)


def _put(path: Path, content: bytes) -> None:
    """A file of a model folder, whole or not at all."""
    temporary = path.with_name(f".{path.name}.writing")
    temporary.write_bytes(content)
    put(temporary, path)


def read(folder: Path, *kinds: str) -> StoredModel:
    """What a model folder, or the one inside a run folder, holds.

    Raises ModelError where anything is missing, damaged, of another format or of none of the `kinds`.
    """
    place = find(folder)
    content = read_config(place)
    if content["kind"] not in kinds:
        use = USED_BY.get(content["kind"])
        advice = f"use it with `seq2seq {use}`" if use else "this toolkit knows no such kind"
        raise ModelError(f"{place}: expected a {' or '.join(kinds)}, got a {content['kind']}: {advice}")
    _check_files(place, content.get(SUMS, {}))
    opened = StoredModel(place, content, read_weights(place / WEIGHTS, content["precision"]))
    _check_node(opened)
    return opened


def assemble(opened: StoredModel, kind: type[Model]) -> Model:
    """The model itself, in evaluation mode. Raises ModelError where node and weights do not fit together."""
    try:
        with SkipInit(opened.weights):
            model = build(opened.node, where="model")
    except Exception as error:  # constructors may raise anything for nodes that no YAML file would hold
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


def expect(opened: StoredModel, kinds: Mapping[str, type]) -> None:
    """Raises ModelError unless config.json has these keys with values of these types."""
    expect_types(opened.content, kinds, opened.place / CONFIG)


def _replace(
    folder: Path,
    content: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    precision: Precision,
    accompany: Callable[[Path], None],
) -> None:
    """Writes the folder beside its final path and renames it, replacing an older one."""
    heading = {"format": FORMATS[precision], "toolkit": __version__, "precision": precision}
    size = {"parameters": sum(tensor.numel() for tensor in weights.values())}
    partial, previous = _beside(folder, "partial"), _beside(folder, "previous")
    with storing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for stale in (partial, previous) if folder.exists() else (partial,):
            shutil.rmtree(stale, ignore_errors=True)
        try:
            _write(partial, {**heading, **content, **heading, **size}, weights, accompany)
            with locked(folder.absolute().parent):
                if folder.exists():
                    folder.rename(previous)
                put(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # where the disk is full, its space is needed
        shutil.rmtree(previous, ignore_errors=True)


def _write(
    folder: Path, config: Mapping[str, Any], weights: Mapping[str, Tensor], accompany: Callable[[Path], None]
) -> None:
    """The files of a model folder, each on the disk."""
    folder.mkdir()
    accompany(folder)
    write_weights(folder / WEIGHTS, weights, config["precision"])
    config = {**config, "bytes": (folder / WEIGHTS).stat().st_size}
    sums = {path.name: _sum(path) for path in listed(folder)}
    (folder / CONFIG).write_text(sealed(config, sums), encoding="utf-8")
    (folder / CARD).write_text(card(config), encoding="utf-8")
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)  # safetensors lets only the owner read
    for path in listed(folder):
        sync(path)


def _sum(path: Path) -> str:
    """SHA-256 of a file: not against forgery (who changes a file can change its sum), but no other is faster here."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_files(place: Path, sums: Mapping[str, str]) -> None:
    """Raises ModelError where what lies in the folder is no file, or not as it was written."""
    try:
        for path in listed(place):
            if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe would wait without limit
                raise ModelError(f"{path}: is no file; remove it")
            if path.suffix in (".json", ".model") and path.is_file() and path.stat().st_size > LARGEST:
                raise ModelError(f"{path}: is larger than {LARGEST:,} bytes; copy the folder again")
        for name, checksum in sums.items():
            if name != CONFIG and (Path(name).name != name or _sum(place / name) != checksum):
                raise ModelError(f"{place / name}: is not as it was written; copy the folder again")
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read: {error.strerror}; copy the folder again") from error


def _check_node(opened: StoredModel) -> None:
    """Raises ModelError where config.json asks for more than a network, or for one larger than its weights."""
    path = opened.place / CONFIG
    try:
        leaves = list(_leaves(opened.node))
    except RecursionError as error:
        raise ModelError(f"{path}: model: is nested too deeply; copy the folder again") from error
    largest = max((value for _, value in leaves if isinstance(value, int)), default=0)
    if largest > sum(tensor.numel() for tensor in opened.weights.values()):
        raise ModelError(f"{path}: model: the size {largest} exceeds all weights in {WEIGHTS} together")
    for key, value in leaves:
        if key == TARGET and not (isinstance(value, str) and current_name(value).startswith(PARTS)):
            raise ModelError(
                f"{path}: model: {value!r} is no part of a network, which starts with {' or '.join(PARTS)}"
            )


def _fill(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Gives the model its weights without copying: every process that reads the file shares its pages."""
    tensors = dict(_tensors(model))
    if missing := sorted(tensors.keys() - weights.keys()):
        raise ModelError(f"{path}: lacks {len(missing)} of the model's tensors, among them {missing[0]}; copy it again")
    if unknown := sorted(weights.keys() - tensors.keys()):
        raise ModelError(f"{path}: holds {len(unknown)} tensors that the model lacks, among them {unknown[0]}")
    for name, tensor in tensors.items():
        result = weights[name]
        if (result.shape, result.dtype) != (tensor.shape, tensor.dtype):
            raise ModelError(
                f"{path}: {name}: expected {tuple(tensor.shape)} of {tensor.dtype}, got {tuple(result.shape)} of "
                f"{result.dtype}; the weights belong to another {CONFIG}"
            )
        tensor.data = result


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the model's state once, however many names share it."""
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name, tensor


def _leaves(node: object, key: str = "") -> Iterator[tuple[str, object]]:
    """All values in a nested node that are no nodes themselves, each with the nearest key."""
    if isinstance(node, dict):
        for name, part in node.items():
            yield from _leaves(part, name)
    elif isinstance(node, list):
        for part in node:
            yield from _leaves(part, key)
    else:
        yield key, node


def _beside(folder: Path, word: str) -> Path:
    folder = folder.absolute()  # "." has no name
    return folder.parent / f".{folder.name}.{word}"
