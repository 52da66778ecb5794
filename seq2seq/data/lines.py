"""Reading text line by line, strictly: bytes split on `\\n` only, UTF-8 or an error that names file and line.

Python's own text mode and `str.splitlines` also split on CR, VT, FF, FS, U+0085, U+2028 and U+2029, which shifts every
later line of an aligned file. Here these stay inside their line.
"""

import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seq2seq.errors import DataError

ENDINGS = ("", ".gz", ".xz", ".zst")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Lines:
    """The lines of one UTF-8 file, plain or compressed (.gz .xz .zst by its name), without their line ends.

    Iterating again reads the file again. A byte order mark at the start of the file is removed, and so is a trailing
    carriage return (a file from Windows); the count of these is known once the file has been read to its end.
    Raises DataError with file and line on invalid UTF-8, and with the file on damaged compression.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.carriage_returns = 0

    def __iter__(self) -> Iterator[str]:
        returns, number = 0, 0
        try:
            with open_bytes(self.path) as file:
                for number, raw in enumerate(file, start=1):
                    if number == 1 and raw.startswith(BYTE_ORDER_MARK):
                        raw = raw[len(BYTE_ORDER_MARK) :]
                    if raw.endswith(b"\n"):
                        raw = raw[:-1]
                    if raw.endswith(b"\r"):
                        returns, raw = returns + 1, raw[:-1]
                    yield decode(raw, self.path, number)
        except damage() as error:
            raise DataError(f"{self.path}:{number + 1}: cannot be read: {error}; obtain the file again") from error
        self.carriage_returns = returns


def decode(raw: bytes, path: Path, number: int) -> str:
    """The bytes of line `number` of `path` as text; DataError where they are not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        found = raw[error.start : error.end].hex(" ")
        raise DataError(
            f"{path}:{number}: expected UTF-8, found the bytes {found} at byte {error.start + 1} of the line; "
            "convert the file (iconv -f latin1 -t utf-8) or mend the line"
        ) from error


def open_bytes(path: Path) -> io.BufferedIOBase:
    """The file's uncompressed bytes. DataError where .zst is read without the `zstandard` package."""
    if path.suffix == ".gz":
        return io.BufferedReader(gzip.GzipFile(path, "rb"), 1 << 20)
    if path.suffix == ".xz":
        return lzma.LZMAFile(path, "rb")
    if path.suffix == ".zst":
        return _open_zstandard(path)
    return path.open("rb")


def _open_zstandard(path: Path) -> io.BufferedIOBase:
    try:
        import zstandard
    except ImportError as error:
        raise DataError(f"{path}: reading .zst needs a package: pip install 'seq2seq[zstd]'") from error
    return io.BufferedReader(_Frames(path.open("rb"), zstandard.ZstdDecompressor()), 1 << 20)


def damage() -> tuple[type[Exception], ...]:
    """What a missing or damaged file raises; zstandard's own error only where that package is installed."""
    try:
        from zstandard import ZstdError
    except ImportError:
        return (EOFError, OSError, lzma.LZMAError, zlib.error)
    return (EOFError, OSError, lzma.LZMAError, zlib.error, ZstdError)


class _Frames(io.RawIOBase):
    """The content of a .zst file. The package's own reader takes a file that was cut off for one that ends there."""

    def __init__(self, file: io.BufferedReader, decompressor: Any) -> None:
        self.file, self.decompressor = file, decompressor
        self.frame: Any = None
        self.unread, self.content = b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.content:
            block = self.unread or self.file.read(1 << 16)
            if not block and self.frame is not None:
                raise EOFError("it ends in the middle of a compressed frame")
            if not block:
                return 0
            self.frame = self.frame or self.decompressor.decompressobj()
            self.content, self.unread = self.frame.decompress(block), b""
            if self.frame.eof:
                self.unread, self.frame = self.frame.unused_data, None
        taken, self.content = self.content[: len(buffer)], self.content[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        self.file.close()
        super().close()


def find(folder: Path, name: str) -> Path:
    """The file `folder/name`, plain or with one of the known endings. DataError where none or several exist."""
    found = [path for ending in ENDINGS if (path := folder / f"{name}{ending}").is_file()]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{folder}: found {', '.join(path.name for path in found)}; keep only one of them")
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; set corpus.path to the folder that holds {name} (for a named corpus: the "
            "environment variable SEQ2SEQ_DATA to the folder of corpora), or use corpus=datasets corpus.name=HUB_NAME"
        )
    some = ", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "nothing"
    raise DataError(f"{folder}: no file {name} (plain, .gz, .xz or .zst); the folder holds {some}")
