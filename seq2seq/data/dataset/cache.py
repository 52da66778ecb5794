"""A folder of cache entries, each written to a hidden folder, synced and renamed, by any number of processes.

The hidden folder of an entry is locked while it is written. A process that writes an entry removes unlocked hidden
folders of this machine, which killed processes have left.
"""

import hashlib
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from seq2seq.data.corpus.base import Corpus, Pair
from seq2seq.errors import DataError
from seq2seq.io.atomic import listed, lock, opens_folders, put, sync

Fingerprint = Mapping[str, Mapping[str, Any]]  # as above; JSON can hold it
HERE = platform.node()  # locks may hold on one machine only
HIDDEN = re.compile(rf"\.[a-z]+-[0-9a-f]{{16}}\.{re.escape(HERE)}\.\w{{8}}")  # `.train-0123456789abcdef.here.x7_k2abc`


class SplitContent(NamedTuple):
    """The number of a split's pairs and a hash of their text."""

    pairs: int
    text: str


class TextHash:
    """A hash of pairs that pass, in their order: languages and text, not where they were read."""

    def __init__(self) -> None:
        self.pairs = 0
        self._digest = hashlib.sha256()

    def passing(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """The same pairs."""
        for pair in pairs:
            self.pairs += 1
            text = f"{pair.source_language} {pair.target_language} {len(pair.source)} {pair.source}{pair.target}\n"
            self._digest.update(text.encode("utf-8", "surrogatepass"))
            yield pair

    @property
    def content(self) -> SplitContent:
        """Of all pairs that have passed."""
        return SplitContent(self.pairs, self._digest.hexdigest())


class ColumnHash:
    """A hash of a store's numbers, each column by itself: in how many chunks they come changes nothing."""

    COLUMNS = ("source_language", "target_language", "source_length", "target_length", "source_ids", "target_ids")

    def __init__(self) -> None:
        self._digests = {name: hashlib.sha256() for name in self.COLUMNS}

    def add(self, chunk: pa.RecordBatch) -> None:
        """Take in the rows of one chunk."""
        for name, digest in self._digests.items():
            column = chunk.column(name)
            values = column.flatten() if name.endswith("_ids") else column
            digest.update(np.ascontiguousarray(values.to_numpy(zero_copy_only=False), dtype=np.int32).data)

    def hexdigest(self) -> str:
        """Of all rows so far."""
        return hashlib.sha256(b"".join(one.digest() for one in self._digests.values())).hexdigest()


def split_content(corpus: Corpus, split: str) -> SplitContent:
    """Reads a split to its end."""
    text = TextHash()
    for _ in text.passing(corpus.pairs(split)):
        pass
    return text.content


def tokenizer_hash(models: Sequence[bytes]) -> str:
    """Of a tokenizer's files."""
    return hashlib.sha256(b"".join(hashlib.sha256(model).digest() for model in models)).hexdigest()


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
    """A new locked folder, removed at the end if it was not renamed; None if the entry exists.

    A process that finds another one of this machine writing the same entry waits for it (jobs of a sweep, ranks of
    torchrun).
    """
    prefix = f".{name}.{HERE}."
    with ExitStack() as stack:
        while True:
            with _locked(
                cache, wait=True
            ) as alone:  # so that no other process takes the new folder for an abandoned one before it is locked
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
