"""Lines longer than what a model was trained on, cut where it hurts least: sentences, clauses, words, characters.

A line is cut into windows first, so that time and memory grow with its length and no faster, whatever it is made of.
"""

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

BOUNDARIES = (
    re.compile(r"(?<=[.!?…؟।])[\"'”’»)\]]*\s+|(?<=[。！？])[」』”]*"),  # sentences
    re.compile(r"(?<=[,;:،؛])\s+|(?<!\s)\s+(?=[–—-]\s)|(?<=[，、；：])"),  # clauses
    re.compile(r"\s+"),  # words
)
SLICES, CHARACTERS = len(BOUNDARIES), len(BOUNDARIES) + 1  # levels below words
WINDOW = 64  # characters of a window for each token of a part
ATTACHED = frozenset({"Mn", "Mc", "Me"})  # marks that belong to the character before them
JOINER = "\u200d"  # makes one emoji of several
ABBREVIATIONS = frozenset(  # with a full stop, and no end of a sentence
    re.findall(
        "[a-z]+", "mr mrs ms dr prof st no nr vs ca bzw etc inc ltd co bd hr fr frl mme mlle sr sra jr mt gen sgt"
    )
)
Encode = Callable[[Sequence[str]], Sequence[Sequence[int]]]


class Cut(NamedTuple):
    """A part of a line, and its ids."""

    text: str
    ids: Sequence[int]


def rows(texts: Sequence[str], encode: Encode, longest: int, usual: int) -> list[list[Cut]]:
    """Each line's parts: none for a blank line, one for most, several for long ones (see split).

    A line of at most `usual` tokens is one part, whatever it is made of.
    """
    short = [text if len(text) <= WINDOW * longest else "" for text in texts]  # a giant is never encoded as a whole
    return [
        []
        if not text.strip()
        else [Cut(text, ids)]
        if 0 < len(ids) <= usual
        else _several(text, encode, longest, usual)
        for text, ids in zip(texts, encode(short), strict=True)
    ]


def _several(text: str, encode: Encode, longest: int, usual: int) -> list[Cut]:
    """The parts of a line, their ids in few bytes."""
    cuts = split(text, encode, longest, usual)
    return [cut._replace(ids=array("i", cut.ids)) for cut in cuts if cut.ids and cut.text.strip()]


def split(text: str, encode: Encode, longest: int, usual: int) -> Iterator[Cut]:
    """Parts of `text` of at most `longest` tokens each, which joined are the text again.

    Neighbouring sentences stay together while they have at most `usual` tokens; a sentence of more than `longest` is
    cut into parts of about equal size. Only a single character that has more tokens than allowed makes a longer part.
    Every character is encoded about twice.
    """
    for window in windows(text, WINDOW * longest):
        yield from _cut(window, encode, longest, min(usual, longest), 0)


def windows(text: str, size: int) -> Iterator[str]:
    """Stretches of at most `size` characters, each ending at the last of the best boundaries in its second half."""
    begin = 0
    while len(text) - begin > size:
        end = begin + size
        for level in range(SLICES):
            if places := list(_places(text, level, begin + size // 2, end)):
                end = places[-1]
                break
        else:
            end = _safe(text, end, end + size // 2)
        yield text[begin:end]
        begin = end
    if begin < len(text):
        yield text[begin:]


def _cut(text: str, encode: Encode, longest: int, together: int, level: int) -> Iterator[Cut]:
    """The parts of a window, cut at boundaries of this level; what is still too long at those of the next."""
    units = _units(text, level, longest)
    if len(units) == 1 and level < CHARACTERS:
        yield from _cut(text, encode, longest, longest, level + 1)
        return
    found = encode(units)
    packed = _pack([len(ids) for ids in found], together)
    texts = ["".join(units[begin:end]) for begin, end in packed]
    # Tokens of a whole are not quite the sum over its units.
    joined = iter(encode([text for text, (begin, end) in zip(texts, packed, strict=True) if end - begin > 1]))
    for part, (begin, end) in zip(texts, packed, strict=True):
        ids = next(joined) if end - begin > 1 else found[begin]
        if len(ids) <= longest or len(part) == 1:
            yield Cut(part, ids)
        else:
            yield from _cut(part, encode, longest, longest, min(level + 1, CHARACTERS))


def _units(text: str, level: int, longest: int) -> list[str]:
    """The text cut behind every boundary."""
    if level == CHARACTERS:
        return list(text)
    if level == SLICES:
        return _slices(text, max(1, longest // 8))
    ends = [place for place in _places(text, level, 0, len(text)) if 0 < place < len(text)]
    return [text[begin:end] for begin, end in pairwise([0, *ends, len(text)])]


def _places(text: str, level: int, begin: int, end: int) -> Iterator[int]:
    """Where the boundaries of this level end, between two places."""
    for match in BOUNDARIES[level].finditer(text, begin, end):
        if level > 0 or _ends_sentence(text, match):
            yield match.end()


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    """Whether a full stop is one: not that of `Mr. X`, `J. X`, `z.B. X`, `3. Mai`, nor one before a small letter."""
    place = match.start()
    if place == 0 or text[place - 1] != ".":
        return True
    word = (text[max(0, place - 20) : place].split() or [""])[-1].rstrip(".").lstrip("([\"'„“»«")
    ordinal = word.isdigit() and len(word) < 3
    short = "." in word or (len(word) == 1 and word.isalpha()) or word.lower() in ABBREVIATIONS
    return not (ordinal or short or text[match.end() : match.end() + 1].islower())


def _slices(text: str, size: int) -> list[str]:
    """Stretches of about `size` characters of a text without any boundary."""
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


def _pack(counts: Sequence[int], longest: int) -> list[tuple[int, int]]:
    """Where parts of neighbours begin and end, of at most `longest` tokens; as few as can be, about equally long."""
    fewest = len(_ends(counts, longest))
    size = bisect_left(range(longest), True, key=lambda size: len(_ends(counts, size)) <= fewest)
    return list(pairwise([0, *_ends(counts, size)]))


def _ends(counts: Sequence[int], size: int) -> list[int]:
    """Where parts end that are filled one after the other up to `size` tokens."""
    ends, filled = [], counts[0]
    for place, tokens in enumerate(counts[1:], 1):
        filled += tokens
        if filled > size:
            ends.append(place)
            filled = tokens
    return [*ends, len(counts)]
