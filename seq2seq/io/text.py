"""Reading text line by line, strictly: bytes split on `\\n` only, UTF-8 or an error that names file and line.

Python's own text mode and `str.splitlines` also split on CR, VT, FF, FS, U+0085, U+2028 and U+2029, which shifts every
later line of an aligned file. Here these stay inside their line.
"""

from collections.abc import Iterator
from pathlib import Path

from seq2seq.errors import DataError
from seq2seq.io.compression import ENDINGS, damage, open_bytes
from seq2seq.io.encoding_detection import SAMPLE, advice, is_utf8, unreadable, wide_line

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
                head = file.peek(SAMPLE)[:SAMPLE]
                check_head(head, str(self.path))
                for number, raw in enumerate(file, start=1):
                    if number == 1 and raw.startswith(BYTE_ORDER_MARK):
                        raw = raw[len(BYTE_ORDER_MARK) :]
                    if raw.endswith(b"\n"):
                        raw = raw[:-1]
                    if raw.endswith(b"\r"):
                        returns, raw = returns + 1, raw[:-1]
                    yield decode(raw, self.path, number, head)
        except damage() as error:
            raise DataError(f"{self.path}:{number + 1}: cannot be read: {error}; obtain the file again") from error
        self.carriage_returns = returns


def decode(raw: bytes, path: Path, number: int, head: bytes = b"") -> str:
    """The bytes of line `number` of `path` as text; DataError where they are not UTF-8.

    head: the file's beginning, which tells its encoding better than one line does.
    """
    check_line(raw, f"{path}:{number}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        result = raw[error.start : error.end].hex(" ")
        raise DataError(
            f"{path}:{number}: expected UTF-8, found the bytes {result} at byte {error.start + 1} of the line; "
            f"{advice(raw if is_utf8(head) else head)}"
        ) from error


def check_head(head: bytes, name: str) -> None:
    """Raises DataError where a file that begins so is no text, or text in UTF-16 or UTF-32."""
    if problem := unreadable(head):
        raise DataError(f"{name}: expected text in UTF-8, found {problem}")


def check_line(raw: bytes, where: str) -> None:
    """Raises DataError for a line in UTF-16 or UTF-32, as programs append them to files in UTF-8."""
    if b"\0" in raw and wide_line(raw):
        raise DataError(
            f"{where}: expected UTF-8, found UTF-16 or UTF-32 from here on; was it appended by another program? "
            "write this part again as UTF-8 (iconv)"
        )


def find(folder: Path, name: str) -> Path:
    """The file `folder/name`, plain or with one of the known endings. DataError where none or several exist."""
    result = [path for ending in ENDINGS if (path := folder / f"{name}{ending}").is_file()]
    if len(result) == 1:
        return result[0]
    if result:
        raise DataError(f"{folder}: found {', '.join(path.name for path in result)}; keep only one of them")
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; set corpus.path to the folder that holds {name} (for a named corpus: the "
            "environment variable SEQ2SEQ_DATA to the folder of corpora), or use corpus=datasets corpus.name=HUB_NAME"
        )
    some = ", ".join(sorted(path.name for path in folder.iterdir())[:12]) or "nothing"
    raise DataError(f"{folder}: no file {name} (plain, .gz, .xz or .zst); the folder holds {some}")
