"""A sample of a store in which every language has its share, however little of the text it is."""

from collections.abc import Iterator

import numpy as np

from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.shuffle import uniform
from seq2seq.io.arrow import Integers

BLOCK = 1 << 16  # rows that are looked at together


def balanced_sample(store: Store, lines: int) -> Integers:
    """Rows in which every language has about `lines` on each side that it stands on, or all that there are.

    The directions of a language share its lines. Drawn without a generator, in the order of the store. All rows are
    looked at, but of them only the numbers of their languages.
    """
    kinds = len(store.languages)
    counts = np.zeros(kinds * kinds, dtype=np.int64)
    for _, directions in _blocks(store):
        counts += np.bincount(directions, minlength=len(counts))
    present = counts.reshape(kinds, kinds) > 0
    sharing = np.minimum(present.sum(1)[:, None], present.sum(0)[None, :]).ravel()
    quotas = -(-lines // np.maximum(sharing, 1))
    likely = (quotas + 6 * np.sqrt(quotas) + 10) / np.maximum(counts, 1)  # so that hardly ever too few are drawn
    drawn = [rows[uniform(rows, 0, 0, 0) < likely[directions]] for rows, directions in _blocks(store)]
    return np.sort(_first(store, np.concatenate([np.empty(0, dtype=np.int64), *drawn]), quotas))


def _first(store: Store, rows: Integers, quotas: Integers) -> Integers:
    """Of each direction as many rows as its quota, those with the smallest numbers."""
    directions = _directions(store, rows)
    order = np.lexsort((uniform(rows, 0, 0, 0), directions))
    rows, directions = rows[order], directions[order]
    ranks = np.arange(len(rows)) - np.searchsorted(directions, directions)
    chosen: Integers = rows[ranks < quotas[directions]]
    return chosen


def _blocks(store: Store) -> Iterator[tuple[Integers, Integers]]:
    for first in range(0, len(store), BLOCK):
        rows = np.arange(first, min(first + BLOCK, len(store)), dtype=np.int64)
        yield rows, _directions(store, rows)


def _directions(store: Store, rows: Integers) -> Integers:
    """Source and target language as one number."""
    source, target = store.language_numbers(rows)
    return source * len(store.languages) + target
