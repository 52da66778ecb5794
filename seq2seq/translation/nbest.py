"""N-best lists of different texts: several segmentations of one text are one translation.

    das Haus -1.2     das Ha|us -1.3     ein Haus -1.9     become     das Haus -1.2     ein Haus -1.9

Where a list gets shorter, a search twice as wide is asked for more; the best one stays what it is without a list.
"""

from collections.abc import Sequence

from seq2seq.search.base import Hypothesis


def distinct(hypotheses: Sequence[Hypothesis], texts: Sequence[str]) -> list[Hypothesis]:
    """Those whose text none before them has."""
    result: dict[str, Hypothesis] = {}
    for one, text in zip(hypotheses, texts, strict=True):
        result.setdefault(text, one)
    return list(result.values())


def followed(best: Sequence[Hypothesis], others: Sequence[Hypothesis]) -> list[Hypothesis]:
    """A list with others in their places by rank, but none above its first."""
    first, *rest = best
    fitting = [one for one in others if _rank(one) >= _rank(first)]
    return [first, *sorted([*rest, *fitting], key=_rank)]


def _rank(one: Hypothesis) -> tuple[bool, float]:
    return not one.finished, -one.normalised
