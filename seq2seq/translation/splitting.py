"""Lines longer than a model can sensibly take, cut where it hurts least: sentences, clauses, words, characters."""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence

BOUNDARIES = (
    re.compile(r"(?<=[.!?…؟।])[\"'”’»)\]]*\s+|(?<=[。！？])[」』”]*"),  # sentences
    re.compile(r"(?<=[,;:،؛])\s+|\s+(?=[–—-]\s)|(?<=[，、；：])"),  # clauses
    re.compile(r"\s+"),  # words
)
Count = Callable[[Sequence[str]], list[int]]


def split(text: str, count: Count, longest: int) -> list[str]:
    """Parts of `text` of at most `longest` tokens each (`count` tells), which joined are the text again.

    Neighbouring sentences stay together while they fit, in parts of about equal size. Only a single character that has
    more tokens than allowed makes a longer part.
    """
    return _split(text, count, longest, 0)


def _split(text: str, count: Count, longest: int, level: int) -> list[str]:
    if count([text])[0] <= longest or len(text) == 1:
        return [text]
    if level == len(BOUNDARIES):
        units = [text[: len(text) // 2], text[len(text) // 2 :]]
    else:
        units = _units(text, BOUNDARIES[level])
    if len(units) == 1:
        return _split(text, count, longest, level + 1)
    deeper = min(level + 1, len(BOUNDARIES))
    # Tokens of a whole are not quite the sum over its units, so every part is counted again.
    return [part for packed in _pack(units, count(units), longest) for part in _split(packed, count, longest, deeper)]


def _units(text: str, boundary: re.Pattern[str]) -> list[str]:
    """The text cut behind every boundary."""
    ends = [match.end() for match in boundary.finditer(text) if 0 < match.end() < len(text)]
    return [text[begin:end] for begin, end in zip([0, *ends], [*ends, len(text)], strict=True)]


def _pack(units: list[str], counts: list[int], longest: int) -> list[str]:
    """Neighbours joined to parts of at most `longest` tokens; as few parts as can be, about equally long."""
    fewest = len(_ends(counts, longest))
    size = bisect_left(range(longest), True, key=lambda size: len(_ends(counts, size)) <= fewest)
    ends = _ends(counts, size)
    return ["".join(units[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]


def _ends(counts: list[int], size: int) -> list[int]:
    """Where parts end that are filled one after the other up to `size` tokens."""
    ends, filled = [], counts[0]
    for place, tokens in enumerate(counts[1:], 1):
        filled += tokens
        if filled > size:
            ends.append(place)
            filled = tokens
    return [*ends, len(counts)]
