"""Places that a command reads and writes: no two of its keys may mean one file where something would be lost."""

import os
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from seq2seq.errors import ConfigError, ModelError
from seq2seq.io.text import descriptor
from seq2seq.model_folder.config import CONFIG
from seq2seq.model_folder.folder import CARD, WEIGHTS, find

MODEL_FILES = (CONFIG, CARD, WEIGHTS)
MODEL_ENDINGS = (".model", ".safetensors")


class Tree(NamedTuple):
    """A folder with everything in it, which is written or read as a whole."""

    path: Path


class StandardStream(NamedTuple):
    """An open standard stream; a shell may have sent it to a file."""

    descriptor: int


Place = Path | Tree | StandardStream
Places = Mapping[str, Sequence[Place]]  # of each key
INPUT, OUTPUT = StandardStream(0), StandardStream(1)


class _Known(NamedTuple):
    """The path of a key, with the identity of its file."""

    key: str
    place: Place
    identity: object
    above: frozenset[object]  # the identities of the folders that it lies in


def check_places(reads: Places, writes: Places, in_place: Collection[tuple[str, str]] = ()) -> None:
    """Refuses a file that is read and written, or written twice, under any name: links, `..`, hard links.

    Also refuses a path that cannot be written to. Devices, pipes and standard streams may occur several times; a
    shell's `> FILE` counts as that file. `in_place`: pairs (read, written) that may be the same file. Raises
    ConfigError with the keys before anything is written.
    """
    read = list(_known(reads))
    written = [one for one in _known(writes) if one.identity is not None]
    hidden = [_Known(one.key, path, _identity(path), one.above) for one in written for path in _made_beside(one.place)]
    for one in (*written, *hidden):
        for other in read:
            if _meet(one, other) and not (one in written and (other.key, one.key) in in_place):
                raise ConfigError(
                    f"{one.key}: {_named(one.place)} would overwrite the input {other.key} "
                    f"({_named(other.place)}): choose another path for {one.key}"
                )
    for one, other in combinations((*written, *hidden), 2):
        streams = isinstance(one.place, StandardStream) and isinstance(other.place, StandardStream)
        if one.key != other.key and _meet(one, other) and not streams:
            raise ConfigError(
                f"{one.key} and {other.key}: {_named(one.place)} and {_named(other.place)} are one place, where one of "
                "them would be lost: name two"
            )
    for one in written:
        if not isinstance(one.place, StandardStream):
            _check_writable(one.key, _path(one.place))


def model_places(folder: Path) -> list[Place]:
    """The files of a model folder and of its run that nothing may overwrite.

    Empty if there is no model, which is reported when it is opened.
    """
    result: list[Place] = [folder / name for name in ("config.yaml", "log.jsonl")]
    result.append(Tree(folder / "checkpoints"))
    with suppress(ModelError, OSError):
        place = find(folder)
        named = [path for path in place.iterdir() if path.suffix in MODEL_ENDINGS]
        result += [*named, *(place / name for name in MODEL_FILES), place / "labels.json"]
    return result


def run_places(run: Path) -> list[Place]:
    """What training writes into its folder."""
    files = [run / name for name in ("config.yaml", "log.jsonl", ".claim")]
    return [*files, *(Tree(run / name) for name in ("checkpoints", "model", "skipped"))]


def _check_writable(key: str, path: Path) -> None:
    """Raises ConfigError where no file can be made in the folder of `path`, or in the last one above it that exists."""
    resolved = Path(os.path.realpath(path))
    folder = next(one for one in (resolved, *resolved.parents) if one.exists() and (one.is_dir() or one != resolved))
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigError(
            f"{key}: {path} cannot be written, because {folder} is not writable "
            f"({os.strerror(error.errno or 0)}): choose another path for {key}"
        ) from error


def _known(places: Places) -> Iterator[_Known]:
    for key, several in places.items():
        for place in several:
            if isinstance(place, Path) and (number := descriptor(place)) is not None:
                place = StandardStream(number)
            yield _Known(key, place, _identity(place), _above(place))


def _identity(place: Place) -> object:
    """Of a file or folder its number on its disk, or its full name while there is none; None for devices and pipes."""
    try:
        result = os.fstat(place.descriptor) if isinstance(place, StandardStream) else _path(place).stat()
    except OSError:
        return None if isinstance(place, StandardStream) else os.path.realpath(_path(place))
    kept = stat.S_ISREG(result.st_mode) or stat.S_ISDIR(result.st_mode)
    return (result.st_dev, result.st_ino) if kept else None


def _above(place: Place) -> frozenset[object]:
    if isinstance(place, StandardStream):
        return frozenset()
    return frozenset(_identity(folder) for folder in Path(os.path.realpath(_path(place))).parents)


def _meet(one: _Known, other: _Known) -> bool:
    """Whether they are the same, or one lies in the other, which counts as a whole."""
    if one.identity is None or other.identity is None:
        return False
    return (
        one.identity == other.identity
        or (isinstance(other.place, Tree) and other.identity in one.above)
        or (isinstance(one.place, Tree) and one.identity in other.above)
    )


def _made_beside(place: Place) -> list[Path]:
    """The temporary file beside a file that is being written."""
    if not isinstance(place, Path):
        return []
    path = Path(os.path.realpath(place))
    return [path.with_name(f".{path.name}.{ending}") for ending in ("partial", "journal")]


def _path(place: Path | Tree) -> Path:
    return place.path if isinstance(place, Tree) else place


def _named(place: Place) -> str:
    if isinstance(place, StandardStream):
        return {0: "standard input", 1: "standard output", 2: "standard error"}.get(
            place.descriptor, f"stream {place.descriptor}"
        )
    return str(_path(place))
