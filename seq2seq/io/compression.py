"""Files as streams of bytes, plain or compressed (.gz .xz .zst by the name), read strictly.

Data before a damage is returned, so that the damaged line can be named. Python's own readers lose it, and zstandard's
takes a truncated file for a complete one.
"""

import io
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.errors import DataError
from seq2seq.io.encoding_detection import unreadable

ENDINGS = ("", ".gz", ".xz", ".zst")
BLOCK = 1 << 16  # compressed bytes read at once
BUFFER = 1 << 20
LONGEST_MAGIC = 6


class Format(NamedTuple):
    """A compression: its name, how each of its frames begins, and what decompresses one."""

    name: str
    magic: tuple[bytes, ...]
    decompressor: Callable[[], Any]


class Damage(OSError):  # noqa: N818 - what it is
    """A compressed file that cannot be read to its end."""


def open_bytes(path: Path) -> io.BufferedReader:
    """The file's uncompressed bytes. DataError where .zst is read without the `zstandard` package."""
    file = path.open("rb")
    try:
        form = _form(path)
    except DataError:
        file.close()
        raise
    return file if form is None else io.BufferedReader(_Frames(file, form), BUFFER)


def damage() -> tuple[type[Exception], ...]:
    """What a missing or damaged file raises; zstandard's own error only where that package is installed."""
    try:
        from zstandard import ZstdError
    except ImportError:
        return (EOFError, OSError, lzma.LZMAError, zlib.error)
    return (EOFError, OSError, lzma.LZMAError, zlib.error, ZstdError)


def _form(path: Path) -> Format | None:
    if path.suffix == ".gz":
        return Format("gzip", (b"\x1f\x8b",), lambda: zlib.decompressobj(zlib.MAX_WBITS | 16))
    if path.suffix == ".xz":
        return Format("xz", (b"\xfd7zXZ\0",), lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ))
    if path.suffix != ".zst":
        return None
    try:
        import zstandard
    except ImportError as error:
        raise DataError(f"{path}: reading .zst needs a package: pip install 'seq2seq[zstd]'") from error
    skippable = tuple(bytes([0x50 + number]) + b"\x2a\x4d\x18" for number in range(16))
    return Format("zstd", (b"\x28\xb5\x2f\xfd", *skippable), zstandard.ZstdDecompressor().decompressobj)


class _Frames(io.RawIOBase):
    """The content of a compressed file, frame after frame. Zeros between them are padding, as for gzip and xz."""

    def __init__(self, file: io.BufferedReader, form: Format) -> None:
        self.file, self.form = file, form
        self.frame: Any = None
        self.frames = 0
        self.unread, self.content = b"", b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.content:
            if self.frame is None and not self._next_frame():
                return 0
            self._decompress()
        taken, self.content = self.content[: len(buffer)], self.content[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        self.file.close()
        super().close()

    def _next_frame(self) -> bool:
        """Whether another frame begins; an empty file has none. Raises Damage for anything else than a frame."""
        while len(self.unread) < LONGEST_MAGIC and (block := self.file.read(BLOCK)):
            self.unread = (self.unread + block).lstrip(b"\0") if self.frames else self.unread + block
        if not self.unread:
            return False
        if not self.unread.startswith(self.form.magic):
            self._refuse()
        self.frame = self.form.decompressor()
        return True

    def _decompress(self) -> None:
        block = self.unread or self.file.read(BLOCK)
        if not block:
            raise Damage(
                f"the {self.form.name} data ends in the middle, after {self.file.tell():,} bytes: it was cut off"
            )
        try:
            self.content, self.unread = self.frame.decompress(block), b""
        except damage() as error:
            raise Damage(f"the {self.form.name} data is damaged before byte {self.file.tell():,}: {error}") from error
        if self.frame.eof:
            self.unread, self.frame = self.frame.unused_data, None
            self.frames += 1
            self.unread = self.unread.lstrip(b"\0")

    def _refuse(self) -> None:
        """Raises Damage for bytes where a frame should begin."""
        place = self.file.tell() - len(self.unread)
        if self.frames:
            raise Damage(
                f"something that is no {self.form.name} data follows the compressed text, from byte {place + 1:,} on; "
                f"keep what comes before (head -c {place})"
            )
        content = (unreadable(self.unread) or "something else").split(";")[0]
        raise Damage(f"it is named as {self.form.name} data but holds {content}: give it the name of what it is")
