"""Filters that decide which training pairs are fit to learn from, and the count of what each one dropped."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping

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
    """Counts of all pairs and of dropped ones, by reason; a pair is counted for its first reason only.

    `name` gets the reason and the origin of each dropped pair.
    """

    def __init__(
        self,
        total: int = 0,
        dropped: Mapping[str, int] | None = None,
        name: Callable[[str, str], object] = lambda reason, origin: None,
    ) -> None:
        self.total = total
        self.dropped = dict(dropped or {})
        self._name = name

    def drop(self, reason: str, origin: str) -> None:
        """One pair less."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        self._name(reason, origin)

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
    for name in filters:
        counts.dropped.setdefault(name, 0)
    for pair in pairs:
        counts.total += 1
        for name, keep in tests:
            if not keep(pair):
                counts.drop(name, pair.origin)
                break
        else:
            yield pair
