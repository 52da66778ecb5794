"""Files and streams: N lines in, N lines out, whole or not at all."""

import gzip
import io
import json
import lzma
import os
import select
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from toy_translator import echo_translator, echoed

from seq2seq.errors import DataError
from seq2seq.io.encoding_detection import unreadable, wide_line
from seq2seq.io.text import LARGEST_CHUNK, LARGEST_TEXT, LineReader, Lines, growing, reading, writing
from seq2seq.search.beam import Beam
from seq2seq.translation import file
from seq2seq.translation.file import translate_file

PACK = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}
UNPACK = {
    "": bytes,
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".zst": lambda packed: zstandard.ZstdDecompressor().stream_reader(packed).read(),
}
MARK = "\ufeff".encode()


def expected_lines(content: bytes) -> list[str]:
    """The contract, in one line each: mark, line ends, a last line without one, carriage returns, bad bytes."""
    raw = content.removeprefix(MARK).split(b"\n")
    raw = raw[:-1] if raw[-1] == b"" else raw
    return [line.removesuffix(b"\r").decode("utf-8", "replace") for line in raw]


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a pipe does."""

    def __init__(self, content: bytes, size: int) -> None:
        self.content, self.size = content, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece, self.content = self.content[: min(self.size, len(buffer))], self.content[self.size :]
        buffer[: len(piece)] = piece
        return len(piece)


PIECES = [b"\n", b"\r\n", b"\r", b"a", b" ", "é\u2028".encode(), b"\xff", b"\x00", MARK, b"\x0b\x0c\x1c", b"dog"]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join), st.integers(1, 9))
@settings(max_examples=300, deadline=None)
def test_only_a_line_feed_ends_a_line(content: bytes, size: int) -> None:
    lines = LineReader(io.BufferedReader(Trickle(content, size)), "test")
    beginnings = (content[:length] for length in range(len(content) + 1))  # whichever of them arrives first
    assume(not any(map(unreadable, beginnings)) and not any(map(wide_line, content.split(b"\n"))))
    found = [line for chunk in lines.chunks(16) for line in chunk]
    assert found == expected_lines(content)
    assert lines.invalid == sum("\ufffd" in line for line in found)


@pytest.mark.parametrize("ending", PACK)
def test_files_of_every_ending_are_read_and_written(tmp_path: Path, ending: str) -> None:
    content = b"one\n\n  \ntwo \xff dogs\r\nthe house"
    source, target = tmp_path / f"in.txt{ending}", tmp_path / "new" / f"out.txt{ending}"
    source.write_bytes(PACK[ending](content))
    translate_file(echo_translator(), "en", "de", source, target, "text", None, None)
    lines = UNPACK[ending](target.read_bytes()).decode().split("\n")
    assert lines == [*(echoed(line) for line in expected_lines(content)), ""]
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join))
@settings(max_examples=25, deadline=None)
def test_any_file_gives_a_line_a_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assume(not unreadable(content) and not any(map(wide_line, content.split(b"\n"))))
    folder = tmp_path_factory.mktemp("any")
    (folder / "in").write_bytes(content)
    translate_file(echo_translator(), "en", "de", folder / "in", folder / "out", "text", None, None)
    assert (folder / "out").read_bytes().count(b"\n") == len(expected_lines(content))


def test_streams_are_translated_and_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, taken = b"one\n\n\xff\n" + b"the dog sees the house. " * 30, io.BytesIO()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=taken))
    translate_file(echo_translator(longest=32), "en", "de", None, None, "text", None, None)
    assert len(taken.getvalue().split(b"\n")) == 5
    said = capsys.readouterr().err
    assert "4 lines in" in said
    assert ": 2 ok, 1 blank, 1 copied; 1 held bytes that are no UTF-8, read as U+FFFD" in said
    assert "U+FFFD (standard input: line 3); off-target not looked for" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("processes", [1, 2])
def test_a_typed_line_is_answered_before_the_next(monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    """Over two real pipes: line by line, each answer is waited for before the next line is written."""
    translator = echo_translator()
    worker = threading.Thread(
        target=translate_file, args=(translator, "en", "de", None, None, "text", None, None), daemon=True
    )
    with translator.in_processes(processes):  # before the pipes, whose ends these processes must not have
        (read_in, write_in), (read_out, write_out) = os.pipe(), os.pipe()
        given, taken, answers = os.fdopen(read_in, "rb"), os.fdopen(write_out, "wb"), os.fdopen(read_out, "rb")
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=given))
        monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=taken))
        worker.start()
        try:
            for line in (b"one\n", b"two dogs\n", b"\n", b"three\n"):
                os.write(write_in, line)
                assert select.select([answers], [], [], 20)[0], "no answer"
                assert answers.readline() == line
        finally:
            os.close(write_in)  # ends the worker
            worker.join(timeout=20)
            for stream in (given, taken, answers):
                stream.close()
    assert not worker.is_alive()


def test_an_output_file_is_whole_or_untouched(tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    output.write_text("old")
    with pytest.raises(KeyboardInterrupt), writing(output) as write:
        write(["new"])
        assert output.read_text() == "old"
        raise KeyboardInterrupt
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]
    with writing(output) as write:
        write(["new"])
        write(["er"])
    assert output.read_text() == "new\ner\n"


@pytest.mark.slow
def test_strict_reading_names_file_line_and_byte_and_leaves_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "FIRST_OF_FILE", 100)  # so that the byte is in the third chunk
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"one\n" * 600 + b"two \xff dogs\n")
    with pytest.raises(DataError, match=r"in:601: expected UTF-8, got the bytes ff at byte 5 of the line"):
        translate_file(echo_translator(), "en", "de", source, target, "text", None, None, "strict")
    assert not target.exists()
    source.write_bytes(b"one\n" * 600)
    translate_file(echo_translator(), "en", "de", source, target, "text", None, None, "strict")
    assert target.read_bytes() == b"one\n" * 600


@pytest.mark.slow
def test_input_and_output_may_be_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "FIRST_OF_FILE", 100)  # three chunks
    path = tmp_path / "text"
    path.write_bytes(b"one\ntwo\n" * 300)
    translate_file(echo_translator(), "en", "de", path, path, "text", None, None)
    assert path.read_bytes() == b"one\ntwo\n" * 300


def test_json_tells_text_score_status_and_the_best(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("the dog\n\n")
    translator = echo_translator(search=Beam(3, 2, "gnmt", 1.0, 1.0, 2, 0.0, 0))
    translate_file(translator, "en", "de", tmp_path / "in", tmp_path / "out", "json", None, None)
    first, second = map(json.loads, (tmp_path / "out").read_text().splitlines())
    assert first["text"] == first["best"][0]["text"] == "the dog"
    assert first["status"] == "ok"
    assert len(first["best"]) == 2
    assert second == {"text": "", "score": 0.0, "status": "blank", "notes": ["blank"], "best": []}


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_damaged_files_are_named(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"in{ending}"
    whole = PACK[ending](os.urandom(5000))
    path.write_bytes(whole[:1000] + b"damage" + whole[1006:3000])
    with pytest.raises(DataError, match=r"in\..*cannot be read"), reading(path) as lines:
        list(lines.chunks(16))
    path.write_bytes(b"no compression")
    with pytest.raises(DataError, match=r"in\..*cannot be read"), reading(path) as lines:
        list(lines.chunks(16))


def test_paths_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: cannot be read"):
        translate_file(echo_translator(), "en", "de", tmp_path / "nowhere", None, "text", None, None)
    (tmp_path / "in").write_text("one\n")
    with pytest.raises(DataError, match="in: cannot be written"):
        translate_file(echo_translator(), "en", "de", tmp_path / "in", tmp_path / "in" / "out", "text", None, None)
    with pytest.raises(DataError, match="is a folder"):
        translate_file(echo_translator(), "en", "de", tmp_path / "in", tmp_path, "text", None, None)


def test_chunks_of_long_lines_are_small() -> None:
    lines = ["x" * 300_000] * 50 + ["x" * 5_000_000] + ["x"] * 50
    chunks = list(growing(lines, len))
    assert [line for chunk in chunks for line in chunk] == lines
    assert max(sum(map(len, chunk)) for chunk in chunks if len(chunk) > 1) <= LARGEST_TEXT


def test_chunks_grow() -> None:
    sizes = [len(chunk) for chunk in growing(map(str, range(20000)), len)]
    assert sizes[0] < 50
    assert sizes == sorted(sizes[:-1]) + sizes[-1:]
    assert max(sizes) == LARGEST_CHUNK
    assert sum(sizes) == 20000


WIDE_TEXT = "Ein Hund läuft.\nZwei Männer schlafen.\n"


def both_readers(path: Path) -> list[str]:
    """The messages of the reader of training text and of the one of input, which replaces what it cannot read."""
    messages = []
    for read in (lambda: list(Lines(path)), lambda: read_input(path)):
        with pytest.raises(DataError) as raised:
            read()
        messages.append(str(raised.value))
    return messages


def read_input(path: Path) -> list[list[str]]:
    with reading(path) as lines:
        return list(lines.chunks(16))


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_utf16_and_utf32_are_refused_by_name(tmp_path: Path, ending: str, codec: str) -> None:
    path = tmp_path / f"in{ending}"
    path.write_bytes(PACK[ending](WIDE_TEXT.encode(codec)))
    name = codec.upper().replace("-LE", "LE").replace("-BE", "BE")
    for message in both_readers(path):
        assert f"{path}: " in message and f"iconv -f {name}" in message and "latin" not in message


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_utf16_of_a_stream_is_refused(size: int) -> None:
    lines = LineReader(io.BufferedReader(Trickle(WIDE_TEXT.encode("utf-16"), size)), "standard input")
    with pytest.raises(DataError, match="standard input: expected text in UTF-8, got UTF-16LE"):
        list(lines.chunks(16))


def test_utf16_that_was_appended_is_refused_where_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"A dog runs.\n" * 1000 + WIDE_TEXT.encode("utf-16-le"))
    for message in both_readers(path):
        assert f"{path}:1001: expected UTF-8, got UTF-16" in message


def test_the_advice_names_the_encoding_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes("犬が雪の中を走っている。\n二人の男が眠っています。\n".encode("cp932"))
    with pytest.raises(DataError, match=r"in:1: .*iconv -f SHIFT-JIS -t UTF-8"):
        list(Lines(path))
    with pytest.raises(DataError, match=r"in:1: .*iconv -f SHIFT-JIS"), reading(path, "strict") as lines:
        list(lines.chunks(16))


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_what_follows_compressed_text_is_named_behind_it(tmp_path: Path, ending: str) -> None:
    path, packed = tmp_path / f"in{ending}", PACK[ending](b"a dog\n" * 3000)
    path.write_bytes(packed * 2)
    assert len(list(Lines(path))) == 6000  # members one after the other
    path.write_bytes(packed + b"\0" * 512)
    assert len(list(Lines(path))) == 3000  # padding
    path.write_bytes(packed + b"rubbish")
    for message in both_readers(path):
        assert (
            f"{path}:3001: " in message and f"follows the compressed text, from byte {len(packed) + 1:,} on" in message
        )


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_files_of_another_kind_than_their_name_says(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"in{ending}"
    path.write_bytes(b"PK\x03\x04 and so on")
    for message in both_readers(path):
        assert "but holds a zip archive" in message
    plain = tmp_path / "plain"
    plain.write_bytes(PACK[ending](b"a dog\n" * 3000))
    for message in both_readers(plain):
        assert f"give the file a name that ends in {ending}" in message


def test_a_cut_file_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "in.gz"
    packed = gzip.compress(os.urandom(90000).hex().encode() + b"\n" + b"a\nb\n" + os.urandom(90000).hex().encode())
    path.write_bytes(packed[: len(packed) * 3 // 4])
    for message in both_readers(path):
        assert f"{path}:4: " in message and "it was cut off" in message
