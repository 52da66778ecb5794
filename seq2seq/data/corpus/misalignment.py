"""Where two files that should be aligned part, as far as their lines show it."""

from itertools import islice
from pathlib import Path

import numpy as np

from seq2seq.data.arrays import Integers
from seq2seq.io.text import Lines

SHOWN = 50  # characters of a line


def parting(first: Path, second: Path) -> str:
    """In words, why one of two files has more lines, and where: what else ends a line, blank lines, or their lengths.

    Reads both files again. Raises DataError where a file cannot be read.
    """
    (short, fewer), (long, more) = sorted(
        ((path, _Seen(path)) for path in (first, second)), key=lambda one: one[1].count
    )
    lacking = more.count - fewer.count
    if fewer.inner_ends >= lacking:
        return (
            f"{short}:{fewer.inner_end} holds a character that other programs end a line with (U+2028, a carriage "
            f"return or the like), as do others, {fewer.inner_ends:,} in all: replace them by spaces before splitting"
        )
    if more.blank - fewer.blank == lacking:
        return f"{long} has {more.blank:,} blank lines, from line {more.first_blank} on, {short} {fewer.blank:,}"
    place = _place(fewer.lengths, more.lengths)
    if place == fewer.count:
        return f"up to its last line {short} seems to fit: was its end cut off?"
    ours, theirs = (next(islice(Lines(path), place, None))[:SHOWN] for path in (short, long))
    return f"judging by lengths they part near line {place + 1}, where {ours!r} stands beside {theirs!r}"


class _Seen:
    """What a file's lines show."""

    def __init__(self, path: Path) -> None:
        lengths = []
        self.inner_ends = self.inner_end = self.blank = self.first_blank = 0
        for number, line in enumerate(Lines(path), 1):
            lengths.append(len(line))
            if ends := len(line.splitlines()) - 1 if line else 0:
                self.inner_ends += ends
                self.inner_end = self.inner_end or number
            if not line.strip():
                self.blank += 1
                self.first_blank = self.first_blank or number
        self.lengths = np.array(lengths, dtype=np.int64)
        self.count = len(lengths)


def _place(fewer: Integers, more: Integers) -> int:
    """Before how many lines of the shorter file all the missing ones fit best, translations being about as long.

    Of equals the last, as ends are cut off more often than beginnings.
    """
    logs, others = np.log1p(fewer), np.log1p(more)
    count = len(logs)
    before = np.concatenate([[0.0], np.abs(logs - others[:count]).cumsum()])
    behind = np.abs(logs - others[len(others) - count :])[::-1].cumsum()[::-1]
    costs = (before + np.concatenate([behind, [0.0]])).round(6)
    return count - int(np.argmin(costs[::-1]))
