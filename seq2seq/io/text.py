"""Text in and out, line by line: whatever the bytes, N lines in are N lines out.

Only `\\n` ends a line: Python's text mode and `str.splitlines` also split on CR, VT, FF, FS, U+0085, U+2028 and U+2029,
which shifts every later line of an aligned file. A byte order mark at the start and a carriage return at the end of a
line (a file from Windows) are removed.
"""

import gzip
import io
import json
import lzma
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from seq2seq.errors import DataError
from seq2seq.io.compression import ENDINGS, damage, open_bytes
from seq2seq.io.encoding_detection import SAMPLE, check_head, check_line, invalid_bytes

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
FIRST_CHUNK, LARGEST_CHUNK = (
    16,
    4096,
)  # lines: the first ones are returned early, later chunks are worth sorting by length
FIRST_OF_FILE = 1024  # lines: a file is read only when it is complete, but the processes wait for its first chunk
GROWTH = 4  # times larger than the chunk before
LARGEST_TEXT = 1 << 20  # characters of a chunk, where it has more than one line: memory does not grow with long lines
PACKED = (".gz", ".xz", ".zst")  # endings of compressed files
BLOCK = 1 << 20  # bytes asked for at once
NAMED = 5  # lines with invalid bytes whose numbers are kept
DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
Errors = Literal["replace", "strict"]
Item = TypeVar("Item")


class LineReader:
    """The lines of a byte stream, in chunks that hold at most a block of bytes besides their first line.

    Args:
        stream: bytes; their first block tells whether they are text in UTF-8.
        name: of the file, for messages.
        errors: `replace` makes U+FFFD of bytes that are no UTF-8, `strict` refuses them.

    While it is read, `number` counts lines, `carriage_returns` those that ended in one, and `invalid` those with bytes
    that are no UTF-8; `where` holds the line numbers of the first of these.
    """

    def __init__(self, stream: io.BufferedIOBase, name: str, errors: Errors = "replace") -> None:
        self.stream = stream
        self.name = name
        self.errors = errors
        self.head = b""
        self.number = 0
        self.invalid = 0
        self.where: list[int] = []
        self.carriage_returns = 0

    def chunks(self, first: int) -> Iterator[list[str]]:
        """Growing chunks of what is there, at first of `first` lines: a typed line need not wait for another.

        Raises DataError with file and line where the compression is damaged, for invalid UTF-8 if `strict`, and for
        UTF-16, UTF-32 and files that are no text.
        """
        pending: list[bytes] = []
        size = first
        for block in self._blocks():
            pending += block
            while pending:
                yield [self._text(raw) for raw in pending[:size]]
                del pending[:size]
                size = min(GROWTH * size, LARGEST_CHUNK)

    def _blocks(self) -> Iterator[list[bytes]]:
        """The whole lines of each block of bytes, without their ends; a last line needs no end."""
        unfinished: list[bytes] = []
        mark = BYTE_ORDER_MARK
        while block := self._read():
            *ended, rest = block.split(b"\n")
            if ended:
                if mark:
                    self._check(b"".join([*unfinished, block]))
                ended[0] = b"".join([*unfinished, ended[0]]).removeprefix(mark)
                unfinished, mark = [], b""
                yield ended
            unfinished.append(rest)
        last = b"".join(unfinished)
        if mark:
            self._check(last)
        if last := last.removeprefix(mark):
            yield [last]

    def _check(self, head: bytes) -> None:
        self.head = head[:SAMPLE]
        check_head(self.head, self.name)

    def _read(self) -> bytes:
        try:
            return self.stream.read1(BLOCK)
        except damage() as error:
            raise DataError(f"{self.name}:{self.number + 1}: cannot be read: {error}; obtain the file again") from error

    def _text(self, raw: bytes) -> str:
        self.number += 1
        if raw.endswith(b"\r"):
            self.carriage_returns += 1
            raw = raw[:-1]
        check_line(raw, f"{self.name}:{self.number}")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            if self.errors == "strict":
                raise invalid_bytes(error, f"{self.name}:{self.number}", self.head) from error
            self.invalid += 1
            self.where += [self.number][: NAMED - len(self.where)]
            return raw.decode("utf-8", errors="replace")


class Lines:
    """The lines of one UTF-8 file, plain or compressed (.gz .xz .zst by its name), read strictly.

    Iterating again reads the file again; `carriage_returns` counts the lines that ended in one, once the file has been
    read to its end. Raises DataError as LineReader does.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.carriage_returns = 0

    def __iter__(self) -> Iterator[str]:
        with open_bytes(self.path) as stream:
            reader = LineReader(stream, str(self.path), "strict")
            for chunk in reader.chunks(LARGEST_CHUNK):
                yield from chunk
        self.carriage_returns = reader.carriage_returns


@contextmanager
def reading(path: Path | None, errors: Errors = "replace") -> Iterator[LineReader]:
    """The lines of a file, plain or compressed (.gz .xz .zst), or of standard input. DataError where unreadable."""
    if path is None:
        yield LineReader(cast(io.BufferedIOBase, sys.stdin.buffer), "standard input", errors)
        return
    try:
        stream = open_bytes(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; check input=") from error
    with stream:
        yield LineReader(stream, str(path), errors)


@contextmanager
def writing(path: Path | None) -> Iterator[Callable[[Iterable[str]], None]]:
    """A function that writes lines to a file (compressed by its ending) or to standard output.

    A file appears under its name only when everything has been written; an older one stays until then, for good where
    something fails. Standard output, pipes and devices are flushed after every call.
    """
    if path is None:
        yield _writer(sys.stdout.buffer, flush=True)
    elif (number := descriptor(path)) is not None:  # opening it again would truncate a file
        with os.fdopen(os.dup(number), "wb") as stream:
            yield _writer(stream, flush=True)
    elif path.is_dir():
        raise DataError(f"{path}: is a folder; name a file in it: output={path / 'translations.txt'}")
    elif path.exists() and not path.is_file():
        with _opened(path, "") as stream:
            yield _writer(stream, flush=True)
    else:
        path = path.resolve()  # a link stays a link
        partial = path.with_name(f".{path.name}.partial")
        try:
            with _opened(partial, path.suffix) as stream:
                yield _writer(stream, flush=False)  # would spoil the compression
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise


def _writer(stream: Any, flush: bool) -> Callable[[Iterable[str]], None]:
    def write(lines: Iterable[str]) -> None:
        stream.write("".join(f"{line}\n" for line in lines).encode("utf-8"))
        if flush:
            stream.flush()

    return write


def _opened(path: Path, ending: str) -> AbstractContextManager[Any]:
    """A new file, compressed by its suffix. Raises DataError if it cannot be created."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if ending == ".gz":
            return gzip.open(path, "wb")
        if ending == ".xz":
            return lzma.open(path, "wb")
        if ending == ".zst":
            return _open_zstandard(path)
        return path.open("wb")
    except OSError as error:
        raise DataError(f"{path.parent}: cannot be written to: {error.strerror}; check output=") from error


def _open_zstandard(path: Path) -> AbstractContextManager[Any]:
    try:
        import zstandard
    except ImportError as error:
        raise DataError(f"{path}: writing .zst needs a package: pip install 'seq2seq[zstd]'") from error
    return zstandard.open(path, "wb")


def growing(lines: Iterable[Item], length: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Chunks of lines, each GROWTH times the one before, up to the largest; `length` is a line's in characters."""
    chunk: list[Item] = []
    size, characters = FIRST_CHUNK, 0
    for line in lines:
        if chunk and characters + length(line) > LARGEST_TEXT:
            yield chunk
            chunk, characters = [], 0
        chunk.append(line)
        characters += length(line)
        if len(chunk) == size:
            yield chunk
            chunk, characters, size = [], 0, min(GROWTH * size, LARGEST_CHUNK)
    if chunk:
        yield chunk


def find(folder: Path, name: str) -> Path:
    """The file `folder/name`, plain or with one of the known endings. DataError where none or several exist."""
    result = [path for ending in ENDINGS if (path := folder / f"{name}{ending}").is_file()]
    if len(result) == 1:
        return result[0]
    if result:
        raise DataError(
            f"{folder}: expected one file {name}, got {', '.join(path.name for path in result)}; keep only one of them"
        )
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; set corpus.path to the folder that holds {name} (for a named corpus: the "
            "environment variable SEQ2SEQ_DATA to the folder of corpora), or use corpus=datasets corpus.name=HUB_NAME"
        )
    some = ", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "nothing"
    raise DataError(f"{folder}: no file {name} (plain, .gz, .xz or .zst); the folder holds {some}")


def descriptor(path: Path) -> int | None:
    """The file descriptor of a path such as /dev/stdout."""
    if str(path) in STANDARD:
        return STANDARD[str(path)]
    match = DESCRIPTOR.fullmatch(str(path))
    return int(match[1]) if match else None


def read_json(text: str | bytes) -> Any:
    """The content of JSON text. Raises ValueError (which UnicodeDecodeError and json.JSONDecodeError are too)."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
