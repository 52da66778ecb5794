"""Checkpoints: a run's tensors and state in one file, written whole or not at all. No pickle.

checkpoints/last-00001500.safetensors    tensors, and in the header the state as JSON, its format and a checksum
checkpoints/last-00001000.safetensors    the one before, should the newest be damaged
checkpoints/best-00001000.safetensors    weights of one of the best validations
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from seq2seq.errors import TrainingError

FORMAT = "1"  # of the files; raised when older ones can no longer be read
KEPT = 2  # newest checkpoints
logger = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """What one file holds."""

    tensors: dict[str, Tensor]
    content: dict[str, object]


class Checkpoints:
    """The checkpoints of one run, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, update: int, tensors: Mapping[str, Tensor], content: Mapping[str, object]) -> None:
        """Write the checkpoint of `update` and keep the newest two."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / f"last-{update:08d}.safetensors", tensors, content)
        for path in self._newest_first()[KEPT:]:
            path.unlink()

    def load(self) -> Checkpoint | None:
        """The newest one that is whole; None where there is none at all.

        Raises TrainingError when there are some and all are damaged, or of another format.
        """
        paths = self._newest_first()
        for path in paths:
            try:
                return _read(path)
            except (SafetensorError, OSError, ValueError) as error:
                logger.warning("%s is damaged (%s): the checkpoint before it serves instead", path, error)
        if paths:
            raise TrainingError(
                f"{self.folder}: none of the {len(paths)} checkpoints can be read: remove the folder to start again"
            )
        return None

    def contents(self) -> list[dict[str, Any]]:
        """What the kept checkpoints hold besides tensors, the newest first, where it can be read."""
        found = []
        for path in self._newest_first():
            with suppress(SafetensorError, OSError, ValueError, KeyError), safe_open(path, framework="pt") as file:
                found.append(json.loads(file.metadata()["content"]))
        return found

    def save_best(self, update: int, weights: Mapping[str, Tensor]) -> None:
        """Keep the weights that were validated at `update`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self._best(update), weights, {})

    def load_best(self, update: int) -> dict[str, Tensor]:
        """Those weights. Raises TrainingError when the file is missing or damaged."""
        try:
            return _read(self._best(update)).tensors
        except (SafetensorError, OSError, ValueError) as error:
            raise TrainingError(f"{self._best(update)}: cannot be read ({error})") from error

    def keep_best(self, updates: Iterable[int]) -> None:
        """Remove the weights of all other updates. Only after a checkpoint that no longer names them is safe."""
        kept = {self._best(update) for update in updates}
        for path in self.folder.glob("best-*.safetensors"):
            if path not in kept:
                path.unlink()

    def _best(self, update: int) -> Path:
        return self.folder / f"best-{update:08d}.safetensors"

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("last-*.safetensors"), reverse=True)


def _write(path: Path, tensors: Mapping[str, Tensor], content: Mapping[str, object]) -> None:
    """Whole or not at all: into a temporary file, to the disk, then the name."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(content)
    temporary = path.with_suffix(".writing")
    save_file(plain, temporary, metadata={"format": FORMAT, "content": text, "checksum": _checksum(plain, text)})
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Make sure that a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> Checkpoint:
    """Raises SafetensorError, OSError or ValueError for damage, TrainingError for another format."""
    with safe_open(path, framework="pt") as file:
        header = file.metadata() or {}
        if header.get("format") != FORMAT:
            raise TrainingError(
                f"{path}: found checkpoint format {header.get('format')}, this version reads {FORMAT}: "
                "resume with the version that wrote it, or use a new run folder"
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    if _checksum(tensors, header["content"]) != header["checksum"]:
        raise ValueError("its checksum is wrong")
    return Checkpoint(tensors, json.loads(header["content"]))


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].flatten().view(dtype=torch.uint8).numpy().data)
    return digest.hexdigest()
