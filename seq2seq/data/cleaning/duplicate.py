"""Drops pairs that were seen before."""

from dataclasses import dataclass, field

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.cleaning.hash_set import HashSet
from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError


@dataclass(frozen=True)
class Duplicate(Filter):
    """Drops a pair whose languages, source and target were all seen before.

    Remembers 8-byte hashes, no text, of at most `max_remembered` pairs; later pairs are still compared with these.
    """

    max_remembered: int
    _seen: HashSet = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_remembered < 1:
            raise ConfigError(f"cleaning.duplicate.max_remembered: expected at least 1 pair, got {self.max_remembered}")
        object.__setattr__(self, "_seen", HashSet(self.max_remembered))

    def fresh(self) -> "Duplicate":
        return Duplicate(self.max_remembered)

    def keep(self, pair: Pair) -> bool:
        return self._seen.add(f"{pair.source_language}\n{pair.target_language}\n{pair.source}\n{pair.target}")
