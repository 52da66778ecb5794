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


class SubwordSampling:
    """Draws a segmentation of each line anew in every epoch.

    Of a unigram model (Kudo 2018), a segmentation x out of the `sampling_nbest` most probable ones with probability
    proportional to p(x)^sampling_alpha. Of a BPE model (Provilkov et al. 2020), the one that comes out where every
    merge is left out with probability `bpe_dropout` at every step.

    sampled_sides: the sides to draw for, of source and target; other sides take the store's pieces. The draw depends on
    (seed, epoch, pair, side) only, not on the process or the batch: the random number is ours, since sentencepiece's
    own depend on the process. Raises ConfigError, also where a side cannot be sampled, or would never change.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        seed: int,
        sampling_nbest: int,
        sampling_alpha: float,
        bpe_dropout: float,
        sampled_sides: Sequence[str],
    ) -> None:
        if not 1 <= sampling_nbest <= 512:
            raise ConfigError(f"loader.sampling_nbest: expected 1 to 512, got {sampling_nbest}")
        if sampling_alpha < 0:
            raise ConfigError(f"loader.sampling_alpha: expected 0 (all alike) or more, got {sampling_alpha}")
        if not 0 <= bpe_dropout <= 1:
            raise ConfigError(f"loader.bpe_dropout: expected a probability from 0 to 1, got {bpe_dropout}")
        if isinstance(sampled_sides, str) or not set(sampled_sides) <= set(SIDES):
            raise ConfigError(f"loader.sampled_sides: expected a list of source and target, got {sampled_sides}")
        self.seed = seed
        self._draws: dict[Side, Draw] = {}
        for side in sampled_sides:
            self._draws[cast(Side, side)] = _draw(
                tokenizer, cast(Side, side), sampling_nbest, sampling_alpha, bpe_dropout
            )

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
            raise ConfigError(
                "loader.sampling_nbest: with 1 there is nothing to draw from; set more, or loader.sampled_sides=[]"
            )
        return _Unigram(tokenizer, side, nbest, alpha)
    if algorithm == "bpe":
        if dropout == 0:
            raise ConfigError("loader.bpe_dropout: with 0 no merge is left out; set more, or loader.sampled_sides=[]")
        return _Merges(tokenizer, side, dropout)
    raise ConfigError(
        f"loader.sampled_sides: the {side} is made of characters, which have no other segmentation; "
        "set loader.sampled_sides=[], or tokenizer=unigram or tokenizer=bpe"
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
