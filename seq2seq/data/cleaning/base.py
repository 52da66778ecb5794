"""Filters that decide which training pairs are fit to learn from, and the count of what each one dropped."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping

from seq2seq.data.corpus.base import Pair


class Filter(ABC):
    """One reason to drop a pair. `repr` is its recorded configuration: equal text means an equal filter."""

    @abstractmethod
    def keep(self, pair: Pair) -> bool:
        """Whether the pair may stay."""

    def fresh(self) -> "Filter":
        """A filter to begin a corpus with: itself, unless it remembers pairs."""
        return self


class Counts:
    """How many pairs came and how many were dropped, by reason; every pair is dropped for one reason, the first."""

    def __init__(self, total: int = 0, dropped: Mapping[str, int] | None = None) -> None:
        self.total = total
        self.dropped = dict(dropped or {})

    @property
    def kept(self) -> int:
        """The number of pairs that stayed."""
        return self.total - sum(self.dropped.values())

    def __str__(self) -> str:
        """`kept 28,990 of 29,000; dropped: 8 identical, 2 duplicate`."""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items() if count) or "none"
        return f"kept {self.kept:,} of {self.total:,}; dropped: {reasons}"


def clean(pairs: Iterable[Pair], filters: Mapping[str, Filter], counts: Counts) -> Iterator[Pair]:
    """The pairs that every filter keeps, in their order; `counts` is brought up to date as they pass."""
    tests = [(name, member.fresh().keep) for name, member in filters.items()]
    dropped = counts.dropped
    for name in filters:
        dropped.setdefault(name, 0)
    for pair in pairs:
        counts.total += 1
        for name, keep in tests:
            if not keep(pair):
                dropped[name] += 1
                break
        else:
            yield pair
