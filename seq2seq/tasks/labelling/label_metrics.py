"""How well predicted labels agree with the right ones."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Agreement(NamedTuple):
    """Percentages over some lines.

    accuracy: labels that are right. macro_f1: the mean of `f1` over the labels that were wanted or predicted at all.
    f1: of each of these, 2 * right / (predicted + wanted). lines: whose labels are all right. labels: their number.
    """

    accuracy: float
    macro_f1: float
    lines: float
    labels: int
    f1: dict[str, float]


class LabelCounts:
    """Gathers predictions line by line."""

    def __init__(self) -> None:
        self._right: Counter[str] = Counter()
        self._predicted: Counter[str] = Counter()
        self._wanted: Counter[str] = Counter()
        self._lines = self._whole = 0

    def add(self, predicted: Sequence[str], wanted: Sequence[str]) -> None:
        """The labels of one line."""
        assert len(predicted) == len(wanted)
        self._predicted.update(predicted)
        self._wanted.update(wanted)
        self._right.update(one for one, other in zip(predicted, wanted, strict=True) if one == other)
        self._lines += 1
        self._whole += list(predicted) == list(wanted)

    def agreement(self) -> Agreement:
        """Of everything so far; zeros where there was nothing."""
        seen = self._predicted + self._wanted
        f1 = {name: 200 * self._right[name] / count for name, count in sorted(seen.items())}
        count = self._wanted.total()
        return Agreement(
            accuracy=100 * self._right.total() / max(1, count),
            macro_f1=sum(f1.values()) / max(1, len(f1)),
            lines=100 * self._whole / max(1, self._lines),
            labels=count,
            f1=f1,
        )
