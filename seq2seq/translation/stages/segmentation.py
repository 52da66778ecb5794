"""Splits lines into segments that a model can take: sentences; too long ones into clauses, words, characters.

A line is first cut into windows, so that time and memory grow linearly with its length.
"""

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from seq2seq.data.sentence_splitter import sentences

BOUNDARIES = (  # of what is longer than a part may be
    re.compile(r"(?<=[;:؛])\s+|(?<!\s)\s+(?=[–—|•-]\s)|(?<=[；：])"),  # strong clauses
    re.compile(r"(?<=[,،])\s+|(?<=[，、])"),  # clauses
    re.compile(r"\s+"),  # words
)
SENTENCES, CLAUSES = 0, 1  # levels; words are the last of those that have boundaries
SLICES = CLAUSES + len(BOUNDARIES)
CHARACTERS = SLICES + 1
WINDOW = 64  # characters of a window for each token of a part
ATTACHED = frozenset({"Mn", "Mc", "Me"})  # marks that belong to the character before them
JOINER = "\u200d"  # makes one emoji of several
Encode = Callable[[Sequence[str]], Sequence[Sequence[int]]]


class SegmentLimits(NamedTuple):
    """What a part may have at most: tokens, and sentences."""

    tokens: int
    sentences: int = 1


class Window(NamedTuple):
    """A segment of a line; `whole`: whether it ends where a sentence ends."""

    text: str
    whole: bool


class Cut(NamedTuple):
    """A part of a line, and its ids; `whole`: it consists of sentences, no cut goes through one."""

    text: str
    ids: Sequence[int]
    whole: bool = True


def rows(texts: Sequence[str], language: str, encode: Encode, limits: Sequence[SegmentLimits]) -> list[list[Cut]]:
    """Each line's parts, within its limits: none for a blank line, one for most, several for long ones."""
    short = [  # a giant is never encoded as a whole
        text if len(text) <= WINDOW * limit.tokens else "" for text, limit in zip(texts, limits, strict=True)
    ]
    return [
        []
        if not text.strip()
        else [Cut(text, ids)]
        if 0 < len(ids) <= limit.tokens and len(sentences(text, language)) <= limit.sentences
        else _several(text, language, encode, limit)
        for text, ids, limit in zip(texts, encode(short), limits, strict=True)
    ]


def _several(text: str, language: str, encode: Encode, limits: SegmentLimits) -> list[Cut]:
    """The parts of a line, their ids in few bytes."""
    cuts = split(text, language, encode, limits)
    return [cut._replace(ids=array("i", cut.ids)) for cut in cuts if cut.ids and cut.text.strip()]


def split(text: str, language: str, encode: Encode, limits: SegmentLimits) -> Iterator[Cut]:
    """Parts of `text` within the limits, which joined are the text again.

    Neighbouring sentences stay together as far as the limits allow; one of more tokens is cut into parts of about equal
    size. Only a single character that has more tokens than allowed makes a longer part. Every character is encoded
    about twice.
    """
    whole = True
    for window in windows(text, language, WINDOW * limits.tokens):
        whole = whole and window.whole
        for cut in _cut(window.text, language, encode, limits, SENTENCES):
            yield cut._replace(whole=cut.whole and whole)
        whole = window.whole


def windows(text: str, language: str, size: int) -> Iterator[Window]:
    """Parts of at most `size` characters, each ending at the last of the best boundaries in its second half."""
    begin = 0
    while len(text) - begin > size:
        end = begin + size
        for level in range(SLICES):
            window = text[begin:end]
            if places := [place for place in _places(window, language, level) if size // 2 < place < size]:
                end = begin + places[-1]
                break
        else:
            end = _safe(text, end, end + size // 2)
        yield Window(text[begin:end], level == SENTENCES)
        begin = end
    if begin < len(text):
        yield Window(text[begin:], True)


def _cut(text: str, language: str, encode: Encode, limits: SegmentLimits, level: int) -> Iterator[Cut]:
    """The parts of a window, cut at boundaries of this level; what is still too long at those of the next."""
    units = _units(text, language, level, limits.tokens)
    if len(units) == 1 and SENTENCES < level < CHARACTERS:
        yield from _cut(text, language, encode, limits, level + 1)
        return
    result = encode(units)
    packed = _pack([len(ids) for ids in result], limits.tokens, limits.sentences if level == SENTENCES else len(units))
    texts = ["".join(units[begin:end]) for begin, end in packed]
    # Tokens of a whole are not quite the sum over its units.
    joined = iter(encode([text for text, (begin, end) in zip(texts, packed, strict=True) if end - begin > 1]))
    for part, (begin, end) in zip(texts, packed, strict=True):
        ids = next(joined) if end - begin > 1 else result[begin]
        if len(ids) <= limits.tokens or len(part) == 1:
            yield Cut(part, ids, level == SENTENCES)
        else:
            yield from _cut(part, language, encode, limits, min(level + 1, CHARACTERS))


def _units(text: str, language: str, level: int, longest: int) -> list[str]:
    """The text, cut after every boundary."""
    if level == CHARACTERS:
        return list(text)
    if level == SLICES:
        return _slices(text, max(1, longest // 8))
    ends = [place for place in _places(text, language, level) if 0 < place < len(text)]
    return [text[begin:end] for begin, end in pairwise([0, *ends, len(text)])]


def _places(text: str, language: str, level: int) -> Iterator[int]:
    """Where the boundaries of this level end."""
    if level == SENTENCES:
        return accumulate(map(len, sentences(text, language)))
    return (match.end() for match in BOUNDARIES[level - CLAUSES].finditer(text))


def _slices(text: str, size: int) -> list[str]:
    """Parts of about `size` characters of a text without boundaries."""
    places = [0]
    while len(text) - places[-1] > size:
        places.append(_safe(text, places[-1] + size, places[-1] + 2 * size))
    return [text[begin:end] for begin, end in pairwise([*places, len(text)])]


def _safe(text: str, place: int, last: int) -> int:
    """The first place from `place` to `last` that does not cut a mark from its character, or an emoji in two."""
    for safe in range(place, min(last, len(text))):
        if unicodedata.category(text[safe]) not in ATTACHED and JOINER not in text[safe - 1 : safe + 1]:
            return safe
    return place


def _pack(counts: Sequence[int], longest: int, max_sentences: int) -> list[tuple[int, int]]:
    """The bounds of as few parts as possible, of about equal length, within `longest` tokens and `max_sentences`."""
    count = len(_ends(counts, longest, max_sentences))
    size = bisect_left(range(longest), True, key=lambda size: len(_ends(counts, size, max_sentences)) <= count)
    return list(pairwise([0, *_ends(counts, size, max_sentences)]))


def _ends(counts: Sequence[int], size: int, max_sentences: int) -> list[int]:
    """Where parts end that are filled one after the other up to `size` tokens, or `max_sentences` units."""
    ends, begin, filled = [], 0, counts[0]
    for place, tokens in enumerate(counts[1:], 1):
        filled += tokens
        if filled > size or place - begin == max_sentences:
            ends.append(place)
            begin, filled = place, tokens
    return [*ends, len(counts)]
