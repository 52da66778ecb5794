"""Other pairs of the same direction, for what joins pairs."""

import numpy as np

from seq2seq.data.arrays import Integers, Reals
from seq2seq.data.dataset.store import Store

BLOCK = (
    4096  # rows of a store among which a pair's partner is looked for, so that the cost does not grow with the store
)


def partners(store: Store, rows: Integers, numbers: Reals) -> Integers:
    """Another row of the same direction for each row, chosen by a number in [0, 1); -1 where its block has none."""
    result = np.full(len(rows), -1, dtype=np.int64)
    order = np.argsort(rows, kind="stable")
    blocks, counts = np.unique(rows // BLOCK, return_counts=True)
    edges = np.cumsum([0, *counts])
    for block, first, end in zip(blocks.tolist(), edges[:-1], edges[1:], strict=True):
        places = order[first:end]
        members = np.arange(block * BLOCK, min((block + 1) * BLOCK, len(store)), dtype=np.int64)
        source, target = store.language_numbers(members)
        directions = source * len(store.languages) + target
        of_rows = directions[rows[places] - members[0]]
        for direction in np.unique(of_rows):
            chosen = places[of_rows == direction]
            result[chosen] = _others(members[directions == direction], rows[chosen], numbers[chosen])
    return result


def _others(members: Integers, rows: Integers, numbers: Reals) -> Integers:
    """For each row, which is one of the sorted members, one of the others."""
    if len(members) == 1:
        return np.full(len(rows), -1, dtype=np.int64)
    places = (numbers * (len(members) - 1)).astype(np.int64)
    chosen: Integers = members[places + (places >= np.searchsorted(members, rows))]
    return chosen
