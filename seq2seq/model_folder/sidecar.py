"""Small files of numbers that lie in a model folder beside the weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from seq2seq.errors import ModelError


@contextmanager
def open_sidecar(path: Path, advice: str) -> Iterator[Any]:
    """The open safetensors file, of numpy's arrays. ModelError, with advice, for whatever is wrong with it inside."""
    try:
        if not path.is_file():
            raise OSError("it is no file")
        with safe_open(path, "np") as file:
            yield file
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; {advice}") from error
