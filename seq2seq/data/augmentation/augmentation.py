"""Which pairs of a store are changed in an epoch, how long they may become, and what they are then."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import numpy as np

from seq2seq import special_tokens as symbols
from seq2seq.data.arrays import Integers, Pieces, Reals
from seq2seq.data.augmentation.base import Noise
from seq2seq.data.augmentation.partners import partners
from seq2seq.data.corpus.base import Pair
from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.shuffle import named, uniform
from seq2seq.data.tokenizer.subword_sampling import SubwordSampling
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer

DRAWN, PARTNERS = 0, 1  # streams of a kind's random numbers: whether, and with which pairs (one stream each)
SLACK = 2  # pieces that a changed side may have beyond its growth: of three pieces one more is a third

Flags = np.ndarray[Any, np.dtype[np.bool_]]


class NoisePlan(NamedTuple):
    """What becomes of some rows of a store.

    rows: their numbers. source, target: the most pieces that they will have. drawn: of each row and kind of noise,
    whether the row is changed so. partners: of each row, the others that it is joined with, -1 for none.
    """

    rows: Integers
    source: Integers
    target: Integers
    drawn: Flags
    partners: Integers

    def at(self, places: Integers) -> "NoisePlan":
        """That of the rows at these places."""
        source, target = self.source[places], self.target[places]
        return NoisePlan(self.rows[places], source, target, self.drawn[places], self.partners[places])


def unchanged(store: Store, rows: Integers) -> NoisePlan:
    """The plan of unchanged rows."""
    source, target = store.lengths(rows)
    nothing = np.empty((len(rows), 0), dtype=np.int64)
    return NoisePlan(rows, source, target, nothing.astype(np.bool_), nothing)


class Augmentation:
    """Noise on the pairs of a store, drawn again in every epoch.

    noises: kinds by name, in the order of their application. tokens: a side of a changed pair has fewer pieces. The
    change of a pair depends on (seed, epoch, pair) only, and its maximum length follows from the lengths in the store:
    a pair that would become longer, as one in ten does in capitals, is unchanged, and so is one whose target has no
    pieces. Only changed pairs are tokenised.
    """

    def __init__(
        self,
        noises: Mapping[str, Noise],
        store: Store,
        tokenizer: Tokenizer,
        sampling: SubwordSampling,
        seed: int,
        tokens: int,
    ) -> None:
        self.store, self.tokenizer, self.sampling, self.tokens = store, tokenizer, sampling, tokens
        self.noises = list(noises.values())
        self._seeds = [named(seed, name) for name in noises]
        self._details = named(seed, "details")
        self._keys = [named(0, name) for name in noises]
        self._growth = np.array([(noise.growth, noise.target_growth) for noise in self.noises]).reshape(-1, 2)
        edges = np.cumsum([0, *(noise.most - 1 for noise in self.noises)]).tolist()
        self._columns = [slice(first, end) for first, end in pairwise(edges)]  # of a kind, in the table of partners

    def plan(self, rows: Integers, epoch: int) -> NoisePlan:
        """What becomes of these rows."""
        plain = unchanged(self.store, rows)
        drawn = np.zeros((len(rows), len(self.noises)), dtype=np.bool_)
        others = np.full((len(rows), sum(noise.most - 1 for noise in self.noises)), -1, dtype=np.int64)
        for kind, (noise, seed) in enumerate(zip(self.noises, self._seeds, strict=True)):
            numbers = uniform(rows, seed, epoch, DRAWN)
            drawn[:, kind] = numbers < noise.probability
            if noise.most > 1:
                some = drawn[:, kind]
                counts = [noise.pairs(number / noise.probability) for number in numbers[some].tolist()]
                others[some, self._columns[kind]] = self._partners(rows[some], noise.most, counts, seed, epoch)
        source, target = self._lengths(plain, drawn, others)
        long = np.maximum(source, target) >= self.tokens
        return NoisePlan(
            rows,
            np.where(long, plain.source, source),
            np.where(long, plain.target, target),
            drawn & ~long[:, None],
            others,
        )

    def __call__(self, plan: NoisePlan, epoch: int) -> Iterator[tuple[int, Pieces, Pieces]]:
        """The places of changed rows, with the pieces of source and target that they have now."""
        places = np.flatnonzero(plan.drawn.any(1))
        some = plan.at(places)
        pairs = self._changed(some, epoch)
        sources = self._encoded([pair.source for pair in pairs], "source")
        targets = self._encoded([pair.target for pair in pairs], "target")
        kept = [
            number
            for number, (source, target) in enumerate(zip(sources, targets, strict=True))
            if len(source) <= some.source[number] and len(target) <= some.target[number] and symbols.UNK not in target
        ]
        rows = some.rows[kept]
        source = self._segments("source", [(pairs[one].source, sources[one]) for one in kept], rows, epoch)
        target = self._segments("target", [(pairs[one].target, targets[one]) for one in kept], rows, epoch)
        return zip(places[kept].tolist(), source, target, strict=True)

    def _partners(self, rows: Integers, largest: int, counts: list[int], seed: int, epoch: int) -> Integers:
        """Rows that each row is joined with, so that there are `counts` of them; -1 beyond that."""
        result = np.full((len(rows), largest - 1), -1, dtype=np.int64)
        for number, column in enumerate(result.T):
            some = np.array(counts, dtype=np.int64) > number + 1
            column[some] = partners(self.store, rows[some], uniform(rows[some], seed, epoch, PARTNERS + number))
        return result

    def _lengths(self, plain: NoisePlan, drawn: Flags, others: Integers) -> tuple[Integers, Integers]:
        """The most pieces of each row's source and target."""
        source, target = plain.source.copy(), plain.target.copy()
        for column in others.T:
            some = column >= 0
            more_source, more_target = self.store.lengths(column[some])
            source[some] += more_source + 1  # the space between them may be a piece
            target[some] += more_target + 1
        return _grown(source, drawn, self._growth[:, 0]), _grown(target, drawn, self._growth[:, 1])

    def _changed(self, plan: NoisePlan, epoch: int) -> list[Pair]:
        """The pairs of these rows as their kinds of noise leave them."""
        numbers = (uniform(plan.rows, self._details, epoch, 0) * 2**53).astype(np.int64).tolist()
        added = np.unique(plan.partners[plan.partners >= 0])
        others = dict(zip(added.tolist(), self._pairs(added), strict=True))
        result = []
        for pair, drawn, row, number in zip(self._pairs(plan.rows), plan.drawn, plan.partners, numbers, strict=True):
            tags, source = self.tokenizer.parted(pair.source)
            changed = pair._replace(source=source)
            for kind in np.flatnonzero(drawn).tolist():
                more = [self._untagged(others[one], tags) for one in row[self._columns[kind]].tolist() if one >= 0]
                random = Random(number << 32 | self._keys[kind])
                changed = self.noises[kind]([changed, *(other for other in more if other)], random)
            result.append(changed._replace(source=tags + changed.source))
        return result

    def _untagged(self, pair: Pair, tags: str) -> Pair | None:
        """A pair without its source tags; None where they are others."""
        result, source = self.tokenizer.parted(pair.source)
        return pair._replace(source=source) if result == tags else None

    def _pairs(self, rows: Integers) -> list[Pair]:
        names = self.store.languages
        sides = zip(*self.store.language_numbers(rows), *self.store.texts(rows), strict=True)
        return [Pair(names[one], names[other], source, target, "") for one, other, source, target in sides]

    def _encoded(self, lines: list[str], side: Side) -> list[Pieces]:
        encoded = self.tokenizer.encode(lines, self.tokenizer.languages[0], side)  # pieces do not depend on it
        return [np.array(ids, dtype=np.int64) for ids in encoded]

    def _segments(self, side: Side, lines: list[tuple[str, Pieces]], rows: Integers, epoch: int) -> list[Pieces]:
        """The lines of these rows with their usual pieces, or sampled ones if this side is sampled."""
        texts, usual = [text for text, _ in lines], [ids for _, ids in lines]
        return self.sampling.segments(side, texts, usual, rows, epoch)


def _grown(lengths: Integers, drawn: Flags, growth: Reals) -> Integers:
    """The most pieces that lines of these lengths have under the kinds of noise that were drawn."""
    factors = np.where(drawn, growth, 1.0).prod(1)
    return np.where(factors > 1, (lengths * factors).astype(np.int64) + SLACK, lengths)
