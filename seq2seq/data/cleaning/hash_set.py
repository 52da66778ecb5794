"""Remembering texts in a few bytes each."""

from array import array
from hashlib import blake2b

FIRST_SLOTS = 1 << 16


class HashSet:
    """A set of texts by their 8-byte hashes (12 to 24 bytes each); it remembers at most `capacity` of them.

    Of 10 million different texts two are taken for equal with a probability below 1e-5.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._count = 0
        self._table = array("Q", bytes(8 * FIRST_SLOTS))  # open addressing; 0 is an empty slot

    def __contains__(self, text: str) -> bool:
        return self._table[self._slot(_key(text))] != 0

    def add(self, text: str) -> bool:
        """Remembers the text; whether it is new."""
        key = _key(text)
        slot = self._slot(key)
        if self._table[slot]:
            return False
        if self._count < self._capacity:
            self._table[slot] = key
            self._count += 1
            if 3 * self._count > 2 * len(self._table):
                self._grow()
        return True

    def _slot(self, key: int) -> int:
        """The slot of the key, or the empty slot for it."""
        table, last = self._table, len(self._table) - 1
        slot = key & last
        while (result := table[slot]) and result != key:
            slot = (slot + 1) & last
        return slot

    def _grow(self) -> None:
        old = self._table
        self._table = array("Q", bytes(16 * len(old)))
        for key in old:
            if key:
                self._table[self._slot(key)] = key


def _key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1
