"""Subword regularisation: every epoch shows a line in another segmentation."""

import math
import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, cast

import numpy as np

from seq2seq import special_tokens as symbols
from seq2seq.data.arrays import Integers, Pieces
from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.shuffle import uniform
from seq2seq.data.tokenizer.tokenizer import Piece, Side, Tokenizer
from seq2seq.errors import ConfigError

SIDES = ("source", "target")
Draw = Callable[[str, float], list[int]]  # a line and a random number from [0, 1): its pieces
SPACE = "▁"  # sentencepiece's own, at the beginning of every word
WORD = re.compile(f"{SPACE}?[^{SPACE}]+|{SPACE}")
NEVER = 1 << 62  # the rank of neighbours that make no piece
CACHED = 1 << 20  # characters of words whose usual segmentation is remembered, about 30 bytes each
Symbol = int | tuple[int, ...]  # a piece; or ids that no merge touches: a user-defined symbol, bytes, UNK


class SubwordSampling:
    """Draws a new segmentation of each line in every epoch.

    Of a unigram model (Kudo 2018): a segmentation x of the `sampling_nbest` most probable ones with probability
    proportional to p(x)^sampling_alpha. Of a BPE model (Provilkov et al. 2020): the result of dropping every merge with
    probability `bpe_dropout` at every step.

    sampled_sides: source, target or both; other sides use the store's pieces. The draw depends on (seed, epoch, pair,
    side) only, not on the process or the batch: sentencepiece's own random numbers depend on the process. Raises
    ConfigError, also if a side cannot be sampled, or would never change.
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
        """The pieces of the lines in these rows: the `usual` ones, unless this side is sampled."""
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


class BPEDropout:
    """Segments normalised lines by the merges of a BPE model, each left out with probability `rate` at every step.

    Algorithm 1 of the paper: of all possible merges of a word, those that are not left out in this step compete, the
    first in the model's order is done (the leftmost of equal ones), until none is possible or all are left out. So
    rate 0 is the model's own segmentation, and rate 1 gives characters.

    Going through the possible merges in order until one is not left out gives the same probabilities with few random
    numbers; how many merges go by until one is left out is geometrically distributed, so that most words need none and
    take their usual segmentation from a cache. Raises ConfigError where `rate` is no probability.
    """

    def __init__(self, pieces: Sequence[Piece], rate: float) -> None:
        if not 0 <= rate <= 1:
            raise ConfigError(f"loader.bpe_dropout: expected a probability from 0 to 1, got {rate}")
        self.rate = rate
        self._symbols = {piece.text: number for number, piece in enumerate(pieces) if piece.kind == "symbol"}
        self._pieces = {piece.text: number for number, piece in enumerate(pieces) if piece.kind == "piece"}
        self._bytes = [number for number, piece in enumerate(pieces) if piece.kind == "byte"]
        merged = sorted((one for one in self._pieces if len(one) > 1), key=lambda one: -pieces[self._pieces[one]].score)
        self._merged = [self._pieces[text] for text in merged]
        self._ranks = _ranks(merged, self._pieces)
        across = any(SPACE in text[1:] for text in (*self._pieces, *self._symbols))
        self._word = re.compile(".+", re.DOTALL) if across else WORD  # what no merge reaches beyond
        self._special = re.compile("|".join(map(re.escape, sorted(self._symbols, key=len, reverse=True))))
        self._usual: dict[str, _Usual] = {}
        self._characters = 0  # of all of them

    def __call__(self, line: str, seed: int) -> list[int]:
        """The pieces of a line as the model sees it (see Tokenizer.normalised); equal seeds give equal pieces."""
        chance = _Chance(self.rate, seed)
        result: list[int] = []
        for word in self._word.findall(line):
            usual = self._usual.get(word) or self._remember(word)
            if chance.pass_over(usual.merges):
                result += usual.ids
            else:
                result += _flat(self._merge(usual.characters, usual.ranks, chance)[0])
        return _joined(result) if symbols.UNK in result else result

    def _remember(self, word: str) -> "_Usual":
        characters = self._split(word)
        ranks = [self._ranks.get(pair, NEVER) for pair in pairwise(characters)]
        merged, merges = self._merge(characters, ranks, _Chance(0.0, 0))
        self._characters += len(word)
        if self._characters > CACHED:  # where words are written without spaces, they are sentences
            self._usual.clear()
            self._characters = len(word)
        self._usual[word] = usual = _Usual(characters, ranks, _flat(merged), merges)
        return usual

    def _split(self, word: str) -> list[Symbol]:
        """Characters; a user-defined symbol is one."""
        if not self._symbols:
            return [self._character(one) for one in word]
        result: list[Symbol] = []
        place = 0
        for match in self._special.finditer(word):
            result += map(self._character, word[place : match.start()])
            result.append((self._symbols[match[0]],))
            place = match.end()
        return result + [self._character(one) for one in word[place:]]

    def _character(self, one: str) -> Symbol:
        if one in self._pieces:
            return self._pieces[one]
        return tuple(self._bytes[number] for number in one.encode()) if self._bytes else (symbols.UNK,)

    def _merge(self, characters: Sequence[Symbol], first: Sequence[int], chance: "_Chance") -> tuple[list[Symbol], int]:
        """What they become, in how many steps; `first` holds the rank of every pair of neighbours."""
        result, ranks, steps = list(characters), list(first), 0
        while (place := _chosen(ranks, chance)) is not None:
            steps += 1
            result[place : place + 2] = [self._merged[ranks[place]]]
            del ranks[place]
            if place:
                ranks[place - 1] = self._ranks.get((result[place - 1], result[place]), NEVER)
            if place < len(ranks):
                ranks[place] = self._ranks.get((result[place], result[place + 1]), NEVER)
        return result, steps


class _Usual(NamedTuple):
    """A word's characters, the ranks of adjacent pairs, its segmentation without dropout, and the number of merges."""

    characters: list[Symbol]
    ranks: list[int]
    ids: list[int]
    merges: int


class _Chance:
    """Decides for each possible merge whether it is dropped: draws the distance to the next dropped one."""

    def __init__(self, rate: float, seed: int) -> None:
        self.rate = rate
        self.random = random.Random(seed)
        self.scale = math.log1p(-rate) if 0 < rate < 1 else 0.0
        self.left = self._drawn()

    def pass_over(self, count: int) -> bool:
        """Whether none of the next `count` is left out; if so, they have been decided."""
        if count > self.left:
            return False
        self.left -= count
        return True

    def leaves_out(self) -> bool:
        """The next one."""
        if self.left:
            self.left -= 1
            return False
        self.left = self._drawn()
        return True

    def _drawn(self) -> float:
        """How many stay until one is left out: geometrically distributed."""
        if not self.scale:
            return 0.0 if self.rate else math.inf
        return float(int(math.log(1 - self.random.random()) / self.scale))


def _chosen(ranks: list[int], chance: _Chance) -> int | None:
    """The place of the first possible merge, in the model's order, that is not left out."""
    best = min(ranks, default=NEVER)
    if best == NEVER:
        return None
    if not chance.leaves_out():
        return ranks.index(best)
    others = ranks.copy()
    while True:
        others[others.index(best)] = NEVER
        best = min(others)
        if best == NEVER:
            return None
        if not chance.leaves_out():
            return others.index(best)


def _ranks(merged: Sequence[str], pieces: dict[str, int]) -> dict[tuple[Symbol, Symbol], int]:
    """The place in the model's order of every two pieces that make one, however they do: a+bc and ab+c."""
    return {
        (pieces[text[:cut]], pieces[text[cut:]]): rank
        for rank, text in enumerate(merged)
        for cut in range(1, len(text))
        if text[:cut] in pieces and text[cut:] in pieces
    }


def _flat(segmentation: Sequence[Symbol]) -> list[int]:
    ids: list[int] = []
    for one in segmentation:
        if isinstance(one, int):
            ids.append(one)
        else:
            ids += one
    return ids


def _joined(ids: Sequence[int]) -> list[int]:
    """As sentencepiece has it, unknown characters that follow each other are one UNK."""
    return [one for place, one in enumerate(ids) if one != symbols.UNK or not place or ids[place - 1] != symbols.UNK]
