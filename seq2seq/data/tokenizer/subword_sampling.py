"""Subword regularisation: every epoch shows a line in another segmentation."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np

from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.shuffle import uniform
from seq2seq.data.tokenizer.bpe_dropout import BPEDropout
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.io.arrow import Integers, Pieces

SIDES = ("source", "target")
Draw = Callable[[str, float], list[int]]  # a line and a random number from [0, 1): its pieces


class Sampling:
    """Draws a segmentation of each line anew in every epoch.

    Of a unigram model (Kudo 2018), a segmentation x out of the `nbest` most probable ones with probability proportional
    to p(x)^alpha. Of a BPE model (Provilkov et al. 2020), the one that comes out where every merge is left out with
    probability `dropout` at every step.

    sampled: the sides to draw for, of source and target; other sides take the store's pieces. The draw depends on
    (seed, epoch, pair, side) only, not on the process or the batch: the random number is ours, since sentencepiece's
    own depend on the process. Raises ConfigError, also where a side cannot be sampled, or would never change.
    """

    def __init__(
        self, tokenizer: Tokenizer, seed: int, nbest: int, alpha: float, dropout: float, sampled: Sequence[str]
    ) -> None:
        if not 1 <= nbest <= 512:
            raise ConfigError(f"loader.nbest: expected 1 to 512, got {nbest}")
        if alpha < 0:
            raise ConfigError(f"loader.alpha: expected 0 (all alike) or more, got {alpha}")
        if not 0 <= dropout <= 1:
            raise ConfigError(f"loader.dropout: expected a probability from 0 to 1, got {dropout}")
        if isinstance(sampled, str) or not set(sampled) <= set(SIDES):
            raise ConfigError(f"loader.sampled: expected a list of source and target, got {sampled}")
        self.seed = seed
        self._draws: dict[Side, Draw] = {}
        for side in sampled:
            self._draws[cast(Side, side)] = _draw(tokenizer, cast(Side, side), nbest, alpha, dropout)

    def __call__(self, store: Store, rows: Integers, epoch: int) -> tuple[list[Pieces], list[Pieces]]:
        """The pieces of each row's source and target."""
        pieces = store.ids(rows)
        if not self._draws:
            return pieces
        source, target = store.texts(rows)
        return (
            self.segments("source", source, pieces[0], rows, epoch),
            self.segments("target", target, pieces[1], rows, epoch),
        )

    def segments(
        self, side: Side, lines: Sequence[str], usual: Sequence[Pieces], rows: Integers, epoch: int
    ) -> list[Pieces]:
        """The pieces of lines that stand in these rows: the `usual` ones, unless this side is sampled."""
        draw = self._draws.get(side)
        if draw is None:
            return list(usual)
        numbers = uniform(rows, self.seed, epoch, SIDES.index(side)).tolist()
        return [np.array(draw(line, number), dtype=np.int64) for line, number in zip(lines, numbers, strict=True)]


def _draw(tokenizer: Tokenizer, side: Side, nbest: int, alpha: float, dropout: float) -> Draw:
    """How a side is drawn. Raises ConfigError where it would always be the same."""
    algorithm = tokenizer.algorithm(side)
    if algorithm == "unigram":
        if nbest == 1:
            raise ConfigError("loader.nbest: with 1 there is nothing to draw from; set more, or loader.sampled=[]")
        return _Unigram(tokenizer, side, nbest, alpha)
    if algorithm == "bpe":
        if dropout == 0:
            raise ConfigError("loader.dropout: with 0 no merge is left out; set more, or loader.sampled=[]")
        return _Merges(tokenizer, side, dropout)
    raise ConfigError(
        f"loader.sampled: the {side} is made of characters, which have no other segmentation; "
        "set loader.sampled=[], or tokenizer=unigram or tokenizer=bpe"
    )


class _Unigram:
    """From the list of the most probable segmentations."""

    def __init__(self, tokenizer: Tokenizer, side: Side, nbest: int, alpha: float) -> None:
        self.tokenizer, self.side, self.nbest, self.alpha = tokenizer, side, nbest, alpha
        self.scores = tokenizer.scores(side)

    def __call__(self, line: str, number: float) -> list[int]:
        listed = self.tokenizer.best(line, self.side, self.nbest)
        sums = np.array([self.scores[pieces].sum() for pieces in listed]) * self.alpha
        edges = np.cumsum(np.exp(sums - sums.max()))
        chosen = int(np.searchsorted(edges, number * edges[-1], side="right"))
        return listed[min(chosen, len(listed) - 1)]


class _Merges:
    """By merges, some of which are left out."""

    def __init__(self, tokenizer: Tokenizer, side: Side, dropout: float) -> None:
        self.tokenizer, self.side = tokenizer, side
        self.segment = BPEDropout(tokenizer.listed(side), dropout)

    def __call__(self, line: str, number: float) -> list[int]:
        tags, rest = self.tokenizer.normalised(line, self.side)
        return [*tags, *self.segment(rest, int(number * 2**53))]
