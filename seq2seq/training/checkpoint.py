"""Checkpoints: a run's tensors and state in one file, written whole or not at all. No pickle.

checkpoints/last-00001500.safetensors    tensors, and in the header the state as JSON, its format and a checksum
checkpoints/last-00001000.safetensors    the one before, should the newest be damaged
checkpoints/best-00001000.safetensors    weights of one of the best validations
checkpoints/.writing/                    what is not whole yet; gone when a run begins
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from seq2seq.errors import TrainingError
from seq2seq.io.atomic import listed, put, storing
from seq2seq.io.text import read_json

FORMAT = "1"  # of the files; raised when older ones can no longer be read
KEPT = 2  # newest checkpoints
logger = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """What one file holds."""

    tensors: dict[str, Tensor]
    content: dict[str, object]


class Checkpoints:
    """The checkpoints of one run, in `folder`. All of it raises StorageError where the system refuses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writing = folder / ".writing"

    def save(self, update: int, tensors: Mapping[str, Tensor], content: Mapping[str, object]) -> None:
        """Write the checkpoint of `update`; keep it and the one before.

        Those after it are damaged, or of a future that a damaged one took with it: they go too.
        """
        newest = self._last(update)
        self._write(newest, tensors, content)
        with storing(self.folder):
            past = [path for path in self._newest_first() if path <= newest]
            for path in set(self._newest_first()) - set(past[:KEPT]):
                path.unlink()

    def load(self) -> Checkpoint | None:
        """The newest one that is whole, at the beginning of a run; None where there is none at all.

        Raises TrainingError when there are some and all are damaged, or of another format.
        """
        shutil.rmtree(self.writing, ignore_errors=True)  # a killed process left it there
        paths = self._newest_first()
        for path in paths:
            try:
                with storing(path):
                    return _read(path)
            except _Damaged as error:
                logger.warning("warning: %s is damaged (%s): falling back to the checkpoint before it", path, error)
        if paths:
            raise TrainingError(
                f"{self.folder}: none of the {len(paths)} checkpoints can be read: remove the folder to start again"
            )
        return None

    def contents(self) -> list[dict[str, Any]]:
        """The metadata of the kept checkpoints, the newest first, without damaged ones."""
        result = []
        for path in self._newest_first():
            with suppress(_Damaged), storing(path), _opened(path) as file:
                result.append(read_json((file.metadata() or {})["content"]))
        return result

    def save_best(self, update: int, weights: Mapping[str, Tensor]) -> None:
        """Keep the weights that were validated at `update`."""
        self._write(self._best(update), weights, {})

    def load_best(self, update: int) -> dict[str, Tensor]:
        """Those weights. Raises TrainingError when the file is missing or damaged."""
        path = self._best(update)
        try:
            with storing(path):
                return _read(path).tensors
        except _Damaged as error:
            raise TrainingError(
                f"{path}: cannot be read ({error}): train in a new run folder, or without the average of the best: "
                "'trainer.allow_changed=[trainer.average_checkpoints]' trainer.average_checkpoints=1"
            ) from error

    def keep_best(self, updates: Iterable[int]) -> None:
        """Remove the weights of all other updates. Only after a checkpoint that no longer names them is safe."""
        kept = {self._best(update) for update in updates}
        with storing(self.folder):
            for path in listed(self.folder):
                if path.match("best-*.safetensors") and path not in kept:
                    path.unlink()

    def _last(self, update: int) -> Path:
        return self.folder / f"last-{update:08d}.safetensors"

    def _best(self, update: int) -> Path:
        return self.folder / f"best-{update:08d}.safetensors"

    def _newest_first(self) -> list[Path]:
        with storing(self.folder):
            return [path for path in reversed(listed(self.folder)) if path.match("last-*.safetensors")]

    def _write(self, path: Path, tensors: Mapping[str, Tensor], content: Mapping[str, object]) -> None:
        """Writes a checkpoint atomically: to a temporary folder, synced, then renamed."""
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        text = json.dumps(content)
        header = {"format": FORMAT, "content": text, "checksum": _checksum(plain, text)}
        with storing(path):
            try:
                self.writing.mkdir(parents=True, exist_ok=True)
                save_file(plain, self.writing / path.name, metadata=header)
                put(self.writing / path.name, path)
            finally:
                shutil.rmtree(self.writing, ignore_errors=True)  # where the disk is full, its space is needed


class _Damaged(Exception):  # noqa: N818 - the state of a file
    """A file that does not hold what was once written."""


def _read(path: Path) -> Checkpoint:
    """Raises _Damaged, OSError, or TrainingError for another format."""
    with _opened(path) as file:
        header = file.metadata() or {}
        if header["format"] != FORMAT:
            raise TrainingError(
                f"{path}: expected checkpoint format {FORMAT}, got {header['format']}: "
                "resume with the version that wrote it, or use a new run folder"
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        if _checksum(tensors, header["content"]) != header["checksum"]:
            raise ValueError("its checksum is wrong")
        return Checkpoint(tensors, read_json(header["content"]))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file to read from; what goes wrong with its content inside is damage. That it cannot be opened is not."""
    try:
        path.open("rb").close()  # safetensors reports any file that it cannot open as missing
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, FileNotFoundError, ValueError) as error:
        raise _Damaged(str(error)) from error
    except KeyError as error:
        raise _Damaged(f"its header lacks {error}") from error


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].flatten().view(dtype=torch.uint8).numpy().data)
    return digest.hexdigest()
