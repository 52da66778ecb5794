"""Locks that the system drops when a process ends, however it ends.

Windows has no fcntl: there nothing is locked, so two commands must not write the same folder at once.
"""

import os
from io import IOBase

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
