"""What a translator says of a line: its translation, the others that were found, and what became of it."""

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """What became of a line."""

    OK = "ok"
    BLANK = "blank"  # nothing to translate; the model never saw it
    SPLIT = "split"  # longer than the model can take: translated in parts
    EMPTY = "empty"  # the model found nothing to say
    TRUNCATED = "truncated"  # the translation, or a part of it, ran into the search's longest length
    UNMET = "unmet"  # a prefix, a required or a banned phrase was not respected


class Token(NamedTuple):
    """A piece as the tokenizer spells it, `▁` for a space, with its log-probability in nats given all before it."""

    piece: str
    score: float


class Candidate(NamedTuple):
    """One translation of a line, with its log-probability in nats.

    tokens: its pieces, EOS the last (of each part, where the line was split); empty unless asked for.
    alignment: which source word each of its words stands for, as pairs of numbers from 0; None unless asked for.
    """

    text: str
    score: float
    tokens: tuple[Token, ...] = ()
    alignment: tuple[tuple[int, int], ...] | None = None


class Translation(NamedTuple):
    """A line's best translation with its log-probability in nats, and what became of the line.

    `best` holds what the search returned, best first (`search.best` many); of a line that was split only the joined
    one, of a blank line nothing.
    """

    text: str
    score: float
    status: Status
    best: tuple[Candidate, ...]
