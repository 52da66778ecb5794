"""The line at the end counts every line once, whoever translated it."""

import io

import pytest

from seq2seq.io.text import LineReader
from seq2seq.translation.status import most_serious
from seq2seq.translation.translation import LOST, LineCounts, Status, Translation


def line(text: str, *said: Status) -> Translation:
    notes = most_serious(said)
    return Translation(text, -1.0, notes[0] if notes else Status.OK, (), notes)


LINES = [
    line("ein Hund"),
    line("", Status.BLANK),
    line("zwei", Status.SPLIT, Status.REPAIRED),
    line("drei", Status.SPLIT),
    line("vier", Status.TRUNCATED, Status.SPLIT),
]


def read(content: bytes) -> LineReader:
    lines = LineReader(io.BytesIO(content), "in.txt")
    assert list(lines.chunks(16)) or not content
    return lines


def test_every_line_is_counted_once_and_what_else_is_said_besides() -> None:
    tally = LineCounts({}, {})
    tally.add(LINES)
    assert tally.lines == 5 and tally.lost == 1
    said = tally.summary(read(b"x\n" * 5), 2.0, True)
    wanted = (
        "5 lines in 2.0 s (2 lines/s, 2 words/s): 1 ok, 1 blank, 1 split, 1 repaired, 1 truncated (besides: 2 split)"
    )
    assert said == wanted


def test_a_later_call_counts_on_and_tells_its_own_speed() -> None:
    first = LineCounts({}, {})
    first.add(LINES[:3])
    later = LineCounts(*first.names())
    later.add(LINES[3:])
    assert later.summary(read(b""), 1.0, True).startswith("5 lines in 1.0 s (2 lines/s, 2 words/s): 1 ok")
    assert "(besides: 2 split)" in later.summary(read(b""), 1.0, True)


@pytest.mark.parametrize("status", Status)
def test_lost_is_what_is_not_all_that_was_asked_for(status: Status) -> None:
    tally = LineCounts({}, {})
    tally.add([line("", status)])
    assert tally.lost == (status in LOST) == (status in ("markup", "truncated", "empty", "unmet"))


def test_what_could_not_be_read_or_told_is_said() -> None:
    tally = LineCounts({}, {})
    said = tally.summary(read(b"\xff\n" * 7), 1.0, False)
    assert "7 held bytes that are no UTF-8, read as U+FFFD (in.txt: line 1, 2, 3, 4, 5, ...)" in said
    assert said.endswith("off-target not looked for: the model folder tells nothing of languages")
