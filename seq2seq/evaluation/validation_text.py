"""What training is judged by: which held-out lines are translated, and whether BLEU has anything to count in them."""

from collections.abc import Sequence

import numpy as np

from seq2seq.data.arrays import Integers
from seq2seq.data.corpus.base import Pair
from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.shuffle import uniform
from seq2seq.errors import ConfigError
from seq2seq.evaluation.evaluate import Direction, grouped
from seq2seq.evaluation.metric import bleu_words

ORDER = 4  # words of BLEU's longest n-grams
LONG_ENOUGH = 0.5  # share of a direction's references that must have this many


def held_out_pairs(stores: Sequence[Store], directions: Sequence[Direction], max_lines: int) -> list[Pair]:
    """A sample of every direction, the same number of each and at most `lines` together, evenly from all stores.

    The pairs of a direction, from all stores, are divided into as many intervals as lines are needed, and one pair is
    drawn from each: a pure function of their number.
    """
    share = max_lines // len(directions)
    if share < 1:
        raise ConfigError(
            f"validation.max_lines: expected at least one a direction ({len(directions)}), got {max_lines}"
        )
    return [pair for direction in directions for pair in _sample(stores, direction, share)]


def automatic_metric(pairs: Sequence[Pair]) -> tuple[str, str]:
    """What `trainer.metric=auto` is for these held-out pairs, and why: bleu, where it has words to count, else chrf."""
    for (source, target), group in grouped(pairs).items():
        references = [pair.target for pair in group]
        if (short := short_lines(references, target)) > (1 - LONG_ENOUGH) * len(references):
            return "chrf", (
                f"{short:,} of {len(references):,} references of {source}-{target} have fewer than {ORDER} words, in "
                "which BLEU counts nothing"
            )
    return "bleu", "references are long enough for BLEU"


def short_lines(references: Sequence[str], target: str) -> int:
    """How many lines have too few words for BLEU's longest n-grams."""
    return sum(len(words) < ORDER for words in bleu_words(references, target))


def _sample(stores: Sequence[Store], direction: Direction, share: int) -> list[Pair]:
    rows = [_rows(store, direction) for store in stores]
    count = sum(map(len, rows))
    chosen = _spread(count, min(share, count))
    ends = np.cumsum([0, *map(len, rows)])
    pairs = []
    for store, own, begin, end in zip(stores, rows, ends, ends[1:], strict=False):
        picked = own[chosen[(chosen >= begin) & (chosen < end)] - begin]
        for row, source, target in zip(picked.tolist(), *store.texts(picked), strict=True):
            pairs.append(Pair(*direction, source, target, f"{store.folder.name}:{row + 1}"))
    return pairs


def _rows(store: Store, direction: Direction) -> Integers:
    """The rows of a store's pairs in a direction."""
    if not set(direction) <= set(store.languages):
        return np.empty(0, dtype=np.int64)
    sources, targets = store.language_numbers(np.arange(len(store)))
    source, target = map(store.languages.index, direction)
    return np.flatnonzero((sources == source) & (targets == target))


def _spread(count: int, size: int) -> Integers:
    """`size` numbers below `count`, in order: one drawn from each of equal intervals."""
    edges = np.arange(size + 1) * count // max(1, size)
    draws = uniform(np.arange(size), seed=0, epoch=0, stream=0)
    return (edges[:-1] + draws * np.diff(edges)).astype(np.int64)
