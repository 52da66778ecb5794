"""The order of an epoch: a shuffle that is computed, not stored, and the random numbers that go with a pair.

A Feistel network (Luby & Rackoff 1988) permutes the numbers below a power of four one-to-one; numbers that land outside
the corpus are sent through again until they land inside ("cycle walking"). Any part of the order of any epoch can so be
had at once, in constant memory, which is what makes a loader resumable at any position.
"""

from typing import Any
from zlib import crc32

import numpy as np

from seq2seq.data.arrays import Integers, Reals

Unsigned = np.ndarray[Any, np.dtype[np.uint64]]
ROUNDS = 6  # Feistel rounds; four make a pseudo-random permutation, the others pay for the cheap mixing


def permuted(positions: Integers, count: int, seed: int, epoch: int) -> Integers:
    """The row (below `count`) at each of these positions of an epoch's order."""
    half = np.uint64(max(1, (max(count - 1, 1).bit_length() + 1) // 2))
    mask = np.uint64((1 << int(half)) - 1)
    keys = _keys(seed, epoch)
    numbers = _feistel(positions.astype(np.uint64), half, mask, keys)
    while len(outside := np.flatnonzero(numbers >= np.uint64(count))):
        numbers[outside] = _feistel(numbers[outside], half, mask, keys)
    return numbers.astype(np.int64)


def uniform(rows: Integers, seed: int, epoch: int, stream: int) -> Reals:
    """One random number in [0, 1) for each row, the same wherever and whenever the row is drawn in this epoch."""
    key = _keys(seed, epoch)[stream]
    return (_mixed(rows.astype(np.uint64) ^ key) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def named(seed: int, name: str) -> int:
    """A separate seed for each name, so that independent draws do not share numbers."""
    return seed << 32 | crc32(name.encode())


def _keys(seed: int, epoch: int) -> Unsigned:
    keys: Unsigned = np.random.SeedSequence([seed, epoch]).generate_state(ROUNDS, np.uint64)  # type: ignore[assignment]
    return keys


def _feistel(numbers: Unsigned, half: np.uint64, mask: np.uint64, keys: Unsigned) -> Unsigned:
    left, right = numbers >> half, numbers & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & mask)
    return (left << half) | right


def _mixed(numbers: Unsigned) -> Unsigned:
    """The finaliser of splitmix64 (Steele et al. 2014): every bit depends on every bit."""
    numbers = (numbers + np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
