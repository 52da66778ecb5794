"""A folder of finished things: made beside their places, on the disk before they get their names, by any process.

While an entry is made, its hidden folder is locked. Whoever makes another one removes those of this machine that nobody
holds any more: killed processes have left them behind.
"""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from seq2seq.errors import DataError
from seq2seq.io.atomic import listed, put, sync
from seq2seq.io.file_lock import lock, opens_folders

HERE = platform.node()  # locks may hold on one machine alone
HIDDEN = re.compile(rf"\.[a-z]+-[0-9a-f]{{16}}\.{re.escape(HERE)}\.\w{{8}}")  # `.train-0123456789abcdef.here.x7_k2abc`


def cache_entry(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, which `make` fills. Raises DataError where it cannot be written."""
    folder = cache / name
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _hidden(cache, name) as temporary:
            if temporary is None:
                return folder
            make(temporary)
            for path in listed(temporary):
                sync(path)
            temporary.chmod(0o755)  # mkdtemp shuts others out
            put(temporary, folder)
    except OSError as error:
        if not folder.is_dir():  # otherwise another process made the same meanwhile
            raise DataError(
                f"cache: {folder} cannot be written: {error.strerror or error}; make room or set another cache="
            ) from error
    return folder


@contextmanager
def _hidden(cache: Path, name: str) -> Iterator[Path | None]:
    """A new folder, locked, and gone afterwards where it still has its hidden name; None where the entry is there.

    Whoever finds another process of this machine making the same entry waits for it: the jobs of a sweep, torchrun's.
    """
    prefix = f".{name}.{HERE}."
    with ExitStack() as stack:
        while True:
            with _locked(cache, wait=True) as alone:  # nobody takes the new folder for a left one before it is locked
                if (cache / name).is_dir():
                    yield None
                    return
                if alone:
                    _remove_left(cache)
                others = [path for path in listed(cache) if path.name.startswith(prefix)] if alone else []
                if not others:
                    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=cache))
                    stack.enter_context(_locked(temporary, wait=False))
                    break
            with suppress(FileNotFoundError), _locked(others[0], wait=True):
                pass
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        yield temporary


def _remove_left(cache: Path) -> None:
    for path in listed(cache):
        if HIDDEN.fullmatch(path.name):
            with _locked(path, wait=False) as free:
                if free:
                    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(folder: Path, wait: bool) -> Iterator[bool]:
    """Holds a folder inside and gives true; false where another process does, or where the disk knows no locks."""
    if not opens_folders():
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            lock(descriptor, wait)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
