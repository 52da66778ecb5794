"""Every file operation of this process below a folder, counted; the chosen one fails, or is this process's last.

Seen are: opening to write or read, writing, fsync, renaming, truncating, removing, making and listing folders, chmod
and flock. The operations of safetensors' save_file cannot be seen: one that does the same in Python replaces it.
"""

import builtins
import io
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor

AUDITED = {  # Python's own name of an operation, and ours
    "os.rename": "rename",
    "os.remove": "remove",
    "os.rmdir": "rmdir",
    "os.mkdir": "mkdir",
    "os.truncate": "truncate",
    "os.chmod": "chmod",
    "os.listdir": "list",
    "os.scandir": "list",
    "fcntl.flock": "flock",
    "open": "open",
}
KILLED = 137


class Faults:
    """Counts operations below `folder` from `watch` on; number `fatal` (from 0) fails with the system's error `number`,
    or, where that is None, kills the process, a write after half of its bytes."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.operations: list[str] = []
        self.fatal = -1
        self.number: int | None = None
        sys.addaudithook(self._audit)
        os.fsync = self._fsync  # type: ignore[assignment]
        builtins.open = io.open = self._open(io.open)
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith(("seq2seq", "toy_")) and hasattr(module, "save_file"):
                setattr(module, "save_file", _save_file)  # noqa: B010 - not every module has it

    def watch(self, folder: Path, fatal: int, number: int | None) -> None:
        """Begin to count."""
        self.folder, self.fatal, self.number, self.operations = str(folder), fatal, number, []

    def stop(self) -> list[str]:
        """Count no more; what was done, such as `rename checkpoints/last-00000002.safetensors`."""
        self.folder = None
        return self.operations

    def happen(self, operation: str, path: str, half: Callable[[], object] = lambda: None) -> None:
        """Note an operation that is about to happen, or let it fail."""
        if self.folder is None or not f"{path}/".startswith(f"{self.folder}/"):
            return
        self.operations.append(f"{operation} {path[len(self.folder) + 1 :] or '.'}")
        if len(self.operations) - 1 != self.fatal:
            return
        half()
        if self.number is None:
            os._exit(KILLED)
        raise OSError(self.number, os.strerror(self.number), path)

    def _audit(self, event: str, values: tuple[Any, ...]) -> None:
        if self.folder is None or event not in AUDITED:
            return
        if event == "os.rename":
            path = _path(values[1])
        else:
            relative = event in ("os.remove", "os.rmdir", "os.mkdir", "os.chmod") and values[-1] != -1
            path = _path(values[0], values[-1] if relative else None)
        reading = event == "open" and not values[2] & (os.O_WRONLY | os.O_RDWR)
        self.happen("read" if reading else AUDITED[event], path)

    def _fsync(self, descriptor: int) -> None:
        """Only counted: no test cuts the power, and a disk takes its time."""
        self.happen("fsync", _path(descriptor))

    def _open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        faults = self

        class Raw(io.FileIO):
            """Writes in the eyes of `faults`."""

            def write(self, content: Any) -> int:
                whole = memoryview(content).cast("B")
                faults.happen("write", str(self.name), lambda: super(Raw, self).write(whole[: len(whole) // 2]))
                return super().write(whole)

        def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
            below = self.folder is not None and str(file).startswith(self.folder)
            if not below or not set(mode) & set("wax"):
                return real(file, mode, buffering, *rest, **named)
            raw = Raw(str(file), mode.replace("b", "").replace("t", ""))
            if buffering == 0:
                return raw
            buffered = io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, *rest, **named)

        return opened


def _save_file(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """As safetensors 0.8 does: into a file of another name beside it, which is then renamed; errors are its own."""
    temporary = Path(path).parent / ".tmp_save"
    try:
        with temporary.open("wb", buffering=0) as file:
            file.write(save(dict(tensors), metadata))
        temporary.chmod(0o600)
        temporary.replace(path)
    except OSError as error:
        raise SafetensorError(
            f"Error while serializing: I/O error: {error.strerror} (os error {error.errno})"
        ) from error


def _path(place: Any, parent: int | None = None) -> str:
    """The path of a path or a descriptor, one below the folder `parent` where that is given."""
    number = place if isinstance(place, int) else place.fileno() if hasattr(place, "fileno") else None
    if number is not None:
        return str(Path(f"/proc/self/fd/{number}").readlink())
    above = Path.cwd() if parent is None else Path(f"/proc/self/fd/{parent}").readlink()
    return str(above / os.fsdecode(place or "."))


def kind(operation: str) -> str:
    """What an operation has in common with others of its kind: numbers, hashes and hidden names do not count."""
    return re.sub(r"[0-9a-f]{16}(\.\S+\.\w{8})?|\d+", "N", operation)
