"""What a translator says of a line: its translation, the others that were found, and what became of it."""

from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """What became of a line, each worse than the one before; of several the worst is the line's status."""

    OK = "ok"
    BLANK = "blank"  # nothing to translate; the model never saw it
    SPLIT = "split"  # a sentence is longer than those of training: translated in parts
    UNKNOWN = "unknown"  # held what the model cannot read, or nobody translates; it was copied, or looked up
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

    tokens: its pieces, EOS the last (of each part, where the line was split); empty unless asked for.
    alignment: which source word each of its words stands for, as pairs of numbers from 0; None unless asked for.
    ranking: what the candidates of a line are ordered by, the highest first (those that were cut off last): the score,
    divided as the search's length penalty says. None where the search ranks by something else (mbr), or the translation
    has several parts.
    """

    text: str
    score: float
    tokens: tuple[Token, ...] = ()
    alignment: tuple[tuple[int, int], ...] | None = None
    ranking: float | None = None


class Translation(NamedTuple):
    """A line's best translation with its log-probability in nats, and what became of the line.

    `notes`: all that is to be said of it, the worst first, which is its status; nothing where that is ok. `seconds`:
    of the search, an equal share of the time that each of its parts' batches took.
    `best` holds what the search returned, best first (`search.n_best` many); of a line that was split only the joined
    one, of a blank line nothing.
    """

    text: str
    score: float
    status: Status
    best: tuple[Candidate, ...]
    notes: tuple[Status, ...] = ()
    seconds: float = 0.0
