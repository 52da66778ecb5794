"""Subword regularisation (Kudo 2018): every epoch shows a line in another of its probable segmentations."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from seq2seq.data.arrays import Integers, Pieces, Reals
from seq2seq.data.order import uniform
from seq2seq.data.store import Store
from seq2seq.data.tokenizer import Side, Tokenizer
from seq2seq.errors import ConfigError

SIDES = ("source", "target")


class Sampling:
    """Draws a segmentation x of a line from its `nbest` most probable ones with probability proportional to p(x)^alpha.

    sampled: the sides to draw for, of source and target; other sides, and all with nbest = 1, take the store's pieces.
    The draw depends on (seed, epoch, pair, side) only, not on the process or the batch: sentencepiece gives the list,
    the random number is ours. Raises ConfigError, also for a BPE tokenizer, whose segmentations have no probabilities.
    """

    def __init__(self, tokenizer: Tokenizer, seed: int, nbest: int, alpha: float, sampled: Sequence[str]) -> None:
        if not 1 <= nbest <= 512:
            raise ConfigError(f"loader.nbest: expected 1 (off) to 512, got {nbest}")
        if alpha < 0:
            raise ConfigError(f"loader.alpha: expected 0 (all alike) or more, got {alpha}")
        if isinstance(sampled, str) or not set(sampled) <= set(SIDES):
            raise ConfigError(f"loader.sampled: expected a list of source and target, got {sampled}")
        self.tokenizer, self.seed, self.nbest, self.alpha = tokenizer, seed, nbest, alpha
        self.sampled = [cast(Side, side) for side in SIDES if side in sampled and nbest > 1]
        if self.sampled and not tokenizer.samples:
            raise ConfigError(
                "loader.sampled: only unigram tokenizers can be sampled; set loader.sampled=[] or tokenizer=unigram"
            )
        self._scores = {side: tokenizer.scores(side) for side in self.sampled}

    def __call__(self, store: Store, rows: Integers, epoch: int) -> tuple[list[Pieces], list[Pieces]]:
        """The pieces of each row's source and target."""
        source, target = store.ids(rows)
        if not self.sampled:
            return source, target
        sources, targets = store.texts(rows)
        if "source" in self.sampled:
            source = self._draw(sources, "source", uniform(rows, self.seed, epoch, 0))
        if "target" in self.sampled:
            target = self._draw(targets, "target", uniform(rows, self.seed, epoch, 1))
        return source, target

    def _draw(self, lines: list[str], side: Side, numbers: Reals) -> list[Pieces]:
        scores = self._scores[side]
        drawn: list[Pieces] = []
        for line, number in zip(lines, numbers.tolist(), strict=True):
            listed = self.tokenizer.best(line, side, self.nbest)
            sums = np.array([scores[pieces].sum() for pieces in listed]) * self.alpha
            edges = np.cumsum(np.exp(sums - sums.max()))
            chosen = int(np.searchsorted(edges, number * edges[-1], side="right"))
            drawn.append(np.array(listed[min(chosen, len(listed) - 1)], dtype=np.int64))
        return drawn
