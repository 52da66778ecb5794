"""Output files that a killed command resumes: a journal beside the first one records what is complete."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from seq2seq.errors import DataError
from seq2seq.io.atomic import lock, put, storing
from seq2seq.io.text import read_json

THEN = "the same command then resumes where it stopped"


class Done(NamedTuple):
    """Progress: lines of input, bytes of each file, counts of lines (see LineCounts)."""

    lines: int
    sizes: list[int]
    statuses: Mapping[str, int]
    besides: Mapping[str, int]


class Journal:
    """The files `paths`, each under way as `.NAME.partial` until `finish`; `done` is what an earlier call has left.

    key: all that the files depend on; another one begins anew. Raises StorageError, and DataError where another process
    is writing the same file.
    """

    def __init__(self, paths: Sequence[Path], key: str) -> None:
        self.paths = [path.resolve() for path in paths]  # a link stays a link
        self._partial = [path.with_name(f".{path.name}.partial") for path in self.paths]
        self._path = self.paths[0].with_name(f".{self.paths[0].name}.journal")
        self._opened = ExitStack()
        with storing(self._path, THEN):
            for path in self.paths:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._journal = self._opened.enter_context(self._path.open("a+b"))
            self._claim()
            self.done = self._read(key.encode())
            self._streams = [self._begin(path, size) for path, size in zip(self._partial, self.done.sizes, strict=True)]

    def write(self, texts: Iterable[Iterable[str]], done: Done) -> Done:
        """Writes lines to each file, syncs, and records them; returns the progress with the files' sizes."""
        with storing(self._path, THEN):
            for stream, lines in zip(self._streams, texts, strict=True):
                stream.write("".join(f"{line}\n" for line in lines).encode("utf-8"))
                _flush(stream)
            done = done._replace(sizes=[stream.tell() for stream in self._streams])
            self._journal.write(json.dumps(done._asdict()).encode() + b"\n")
            _flush(self._journal)
        return done

    def finish(self) -> None:
        """Give the files their names, the first one last: it may be the input, which a killed call needs once more."""
        with storing(self._path, THEN):
            for partial, path in reversed(list(zip(self._partial, self.paths, strict=True))):
                put(partial, path)
            self._path.unlink()

    def close(self) -> None:
        """Close what is open; everything stays for the next call."""
        self._opened.close()

    def _claim(self) -> None:
        try:
            lock(self._journal, wait=False)
        except BlockingIOError:
            self.close()
            raise DataError(f"{self.paths[0]}: another process is writing it: wait, or name another output=") from None

    def _read(self, key: bytes) -> Done:
        """The last thing in the journal that the files bear out; nothing for another key."""
        self._journal.seek(0)
        head, *lines = self._journal.read().split(b"\n")[:-1] or [b""]
        sizes = [path.stat().st_size if path.exists() else 0 for path in self._partial]
        while head == key and lines:
            try:
                result = Done(**read_json(lines[-1]))
            except (ValueError, TypeError):  # half a line, or none of ours
                lines.pop()
                continue
            if all(size <= there for size, there in zip(result.sizes, sizes, strict=True)):
                self._journal.truncate(sum(len(line) + 1 for line in [head, *lines]))
                return result
            lines.pop()
        self._journal.truncate(0)
        self._journal.write(key + b"\n")
        _flush(self._journal)
        return Done(0, [0] * len(self.paths), {}, {})

    def _begin(self, path: Path, size: int) -> BinaryIO:
        stream = self._opened.enter_context(path.open("r+b" if path.exists() else "w+b"))
        stream.truncate(size)
        stream.seek(size)
        return stream


@contextmanager
def under_way(paths: Sequence[Path], key: str) -> Iterator[Journal]:
    """The journal of these files; they get their names when the block ends without an error."""
    journal = Journal(paths, key)
    try:
        yield journal
        journal.finish()
    finally:
        journal.close()


def _flush(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())
