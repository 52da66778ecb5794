"""Files that outlive a full disk, a kill and a power cut: they are on the disk before they get their name."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import IOBase
from pathlib import Path

from safetensors import SafetensorError

from seq2seq.errors import StorageError

ADVICE = {  # by the number of the system's error
    errno.ENOSPC: "free space there",
    errno.EDQUOT: "free space there",
    errno.EFBIG: "allow larger files there",
    errno.EACCES: "allow this user to read and write there",
    errno.EPERM: "allow this user to read and write there",
    errno.EROFS: "make that disk writable",
    errno.ENOENT: "name a folder that can be made",
    errno.ENOTDIR: "name a folder that can be made",
    errno.EIO: "that disk fails: copy the folder to another",
}
NUMBER = re.compile(r"(?:os error |code: )(\d+)")  # the formats of system errors in safetensors' messages


RESUME = "the same command then resumes from the last checkpoint"


@contextmanager
def storing(path: Path, then: str = RESUME) -> Iterator[None]:
    """Inside, what the system refuses becomes a StorageError that names `path`, the reason and what to do."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        number = error.errno if isinstance(error, OSError) else _number(error)
        reason = os.strerror(number) if number is not None else str(error)
        raise StorageError(f"{path}: {reason}: {ADVICE.get(number or 0, 'fix that')}; {then}") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Locks a folder; other processes wait. Without effect on file systems without locks."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        with suppress(OSError):
            lock(descriptor, wait=True)
        yield
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Make sure that a file, or a folder's list of names, is on the disk."""
    if path.is_dir() and not opens_folders():
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)  # Windows syncs what can be written
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put(temporary: Path, path: Path) -> None:
    """Give a file that is written, or a folder whose files are synced, its name: whole, or not at all."""
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def listed(folder: Path) -> list[Path]:
    """What a folder holds, by name; nothing where it is missing. Unlike glob, raises OSError when it cannot be read."""
    return sorted(folder.iterdir()) if folder.exists() else []


def _number(error: SafetensorError) -> int | None:
    match = NUMBER.search(str(error))
    return int(match[1]) if match else None


try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]


def lock(file: int | IOBase, wait: bool) -> None:
    """Holds an open file or folder until it is closed.

    Args:
        file: a descriptor, or a file object.
        wait: whether to wait for the process that holds it.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
        OSError: this disk has no locks.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def opens_folders() -> bool:
    """Whether a folder can be opened, which locking and syncing it needs: not on Windows."""
    return os.name != "nt"
