"""Lines longer than a model can sensibly take, cut where it hurts least: sentences, clauses, words, characters."""

import re
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
    goal = sum(counts) / -(-sum(counts) // longest)
    parts, size = [units[0]], counts[0]
    for unit, tokens in zip(units[1:], counts[1:], strict=True):
        if size + tokens <= longest and size + tokens / 2 <= goal:
            parts[-1] += unit
            size += tokens
        else:
            parts.append(unit)
            size = tokens
    return parts
