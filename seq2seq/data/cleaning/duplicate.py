"""Drops pairs that were seen before."""

from array import array
from dataclasses import dataclass, field
from hashlib import blake2b

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError

_FIRST_SLOTS = 1 << 16


@dataclass
class Duplicate(Filter):
    """Drops a pair whose languages, source and target were all seen before.

    Remembers 8-byte hashes, no text: at most `remembered` pairs (12 to 24 bytes each); later pairs are still compared
    with these. Of 10 million different pairs two are taken for equal with a probability below 1e-5.
    """

    remembered: int
    _table: "array[int]" = field(init=False, repr=False, compare=False)  # open addressing; 0 is an empty slot
    _count: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.remembered < 1:
            raise ConfigError(f"cleaning.duplicate.remembered: expected at least 1 pair, got {self.remembered}")
        self._table = array("Q", bytes(8 * _FIRST_SLOTS))

    def fresh(self) -> "Duplicate":
        """See Filter."""
        return Duplicate(self.remembered)

    def keep(self, pair: Pair) -> bool:
        """See Filter."""
        text = f"{pair.source_language}\n{pair.target_language}\n{pair.source}\n{pair.target}"
        key = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1
        table, last = self._table, len(self._table) - 1
        slot = key & last
        while found := table[slot]:
            if found == key:
                return False
            slot = (slot + 1) & last
        if self._count < self.remembered:
            table[slot] = key
            self._count += 1
            if 3 * self._count > 2 * len(table):
                self._grow()
        return True

    def _grow(self) -> None:
        old = self._table
        self._table = table = array("Q", bytes(16 * len(old)))
        last = len(table) - 1
        for key in old:
            if key:
                slot = key & last
                while table[slot]:
                    slot = (slot + 1) & last
                table[slot] = key
