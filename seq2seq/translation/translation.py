"""The result for a line: its translation, the other candidates, and its status."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from seq2seq.io.text import LineReader


class Status(StrEnum):
    """What became of a line, each worse than the one before; of several the worst is the line's status."""

    OK = "ok"
    BLANK = "blank"  # nothing to translate; the model never saw it
    SPLIT = "split"  # a sentence is longer than those of training: translated in parts
    UNKNOWN = "unknown"  # had text that the model cannot read, or that is not translated; it was copied, or looked up
    REPAIRED = "repaired"  # the translation, or a part of it, looped; a second search found one that does not
    COPIED = "copied"  # the translation is the source again
    NUMBERS = "numbers"  # lacks a number of the source, where training's translations have them
    OFF_TARGET = "off-target"  # the translation, or a part of it, is in another language
    INCOMPLETE = (
        "incomplete"  # the translation, or a part of it, is shorter than in training, or leaves much unattended
    )
    MARKUP = "markup"  # a tag, an entity or a placeholder is not in the translation as often as in the source
    UNMET = "unmet"  # a prefix, a required or a banned phrase was not respected
    TRUNCATED = "truncated"  # the translation, or a part of it, ran into the search's longest length
    EMPTY = "empty"  # the model found nothing to say


LOST = frozenset({Status.MARKUP, Status.UNMET, Status.TRUNCATED, Status.EMPTY})  # not all that was asked for is there


class Token(NamedTuple):
    """A piece as the tokenizer spells it, `▁` for a space, with its log-probability in nats given all before it."""

    piece: str
    score: float


class Candidate(NamedTuple):
    """One translation of a line, with its log-probability in nats.

    tokens: its pieces, with EOS last (of each segment, if the line was split); empty unless requested. alignment: pairs
    (source word, target word), numbered from 0; None unless requested. ranking: what candidates are sorted by, highest
    first (truncated ones last): the score divided by the length penalty. None if the search ranks by something else
    (mbr), or the translation has several segments.
    """

    text: str
    score: float
    tokens: tuple[Token, ...] = ()
    alignment: tuple[tuple[int, int], ...] | None = None
    ranking: float | None = None


class Translation(NamedTuple):
    """A line's best translation with its log-probability in nats, and the line's status.

    `notes`: all statuses, the most serious first; empty for ok. `seconds`: an equal share of the search time of its
    segments' batches. `best`: the candidates, best first (`search.n_best`); only the joined one if the line was split;
    none for a blank line.
    """

    text: str
    score: float
    status: Status
    best: tuple[Candidate, ...]
    notes: tuple[Status, ...] = ()
    seconds: float = 0.0


class LineCounts:
    """Counts lines by status, and by their further notes.

    statuses, besides: counts of an earlier call, by the names of statuses.
    """

    def __init__(self, statuses: Mapping[str, int], besides: Mapping[str, int]) -> None:
        self.statuses = Counter({Status(name): count for name, count in statuses.items()})
        self.besides = Counter({Status(name): count for name, count in besides.items()})
        self.before = self.lines
        self.words = 0

    def add(self, translations: Iterable[Translation]) -> None:
        """Counts these lines."""
        for one in translations:
            self.statuses[one.status] += 1
            self.besides.update(one.notes[1:])
            self.words += len(one.text.split())

    def names(self) -> tuple[dict[str, int], dict[str, int]]:
        """The counts for a later call: `statuses` and `besides`."""
        statuses, besides = ({str(one): count for one, count in each.items()} for each in (self.statuses, self.besides))
        return statuses, besides

    @property
    def lines(self) -> int:
        """All lines, those of an earlier call too."""
        return self.statuses.total()

    @property
    def lost(self) -> int:
        """Lines whose translation is not all that was asked for."""
        return sum(self.statuses[status] for status in LOST)

    def summary(self, read: LineReader, seconds: float, languages: bool) -> str:
        """One line of totals; `languages`: whether wrong languages are detected.

        `1,000 lines in 9.1 s (110 lines/s, 1,290 words/s): 996 ok, 3 blank, 1 copied (besides: 1 split)`. Words are the
        translations' words between spaces; speed is that of this call, lines are those of all calls.
        """
        speed = f"{(self.lines - self.before) / max(seconds, 1e-9):,.0f} lines/s"
        speed += f", {self.words / max(seconds, 1e-9):,.0f} words/s"
        text = f"{self.lines:,} {'line' if self.lines == 1 else 'lines'} in {seconds:.1f} s ({speed})"
        text += f": {_named(self.statuses)}" if self.lines else ""
        text += f" (besides: {_named(self.besides)})" if self.besides else ""
        text += _invalid(read)
        return text if languages else f"{text}; off-target not looked for: the model folder tells nothing of languages"


def _named(counts: Counter[Status]) -> str:
    return ", ".join(f"{counts[status]:,} {status}" for status in Status if counts[status])


def _invalid(read: LineReader) -> str:
    if not read.invalid:
        return ""
    named = ", ".join(f"{number:,}" for number in read.where) + (", ..." if read.invalid > len(read.where) else "")
    return f"; {read.invalid:,} held bytes that are no UTF-8, read as U+FFFD ({read.name}: line {named})"
