"""Batches from a store: filled by tokens, alike in length, in an order that is a pure function of (seed, epoch).

    loader = Loader(store, tokenizer, max_tokens=4000, seed=1, sort_window=100000, sampling_nbest=8, sampling_alpha=0.2,
                    bpe_dropout=0.1, sampled_sides=[], prefetch=4)
    for batch in loader.batches(epoch=3, start=17): ...      # exactly what batches(3) gives from its 18th batch on

An epoch's order is cut into windows of `sort_window` pairs; a window is sorted by length, cut into batches, and its
batches are shuffled. Position is two integers, epoch and batch.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch

from seq2seq import special_tokens as symbols
from seq2seq.data.arrays import Integers, Pieces
from seq2seq.data.augmentation.augmentation import Augmentation, NoisePlan, unchanged
from seq2seq.data.augmentation.base import Noise
from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.prefetch import prefetch
from seq2seq.data.loader.shuffle import permuted
from seq2seq.data.tokenizer.subword_sampling import SubwordSampling
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError


class Padding(NamedTuple):
    """Real and padded positions of both sides of some batches."""

    real: int
    padded: int

    @property
    def waste(self) -> float:
        """The share of the positions that hold padding, 0 to 1."""
        return 1 - self.real / self.padded if self.padded else 0.0


class EpochStats(NamedTuple):
    """What an epoch holds: how many batches, and the one that needs the most memory."""

    batches: int
    worst: NoisePlan


class Loader:
    """Batches of a store.

    max_tokens: rows times the longest row of a batch, on either side, its pieces and its EOS counted. seed: of every
    order and sample. sort_window: pairs that are sorted by length together. sampling_nbest, sampling_alpha,
    bpe_dropout, sampled_sides: see Sampling, which changes lengths a little after batches were filled. prefetch:
    batches that a thread makes in advance; 0 makes them when they are asked for. noises: what changes training pairs,
    by name; see Augmentation. Raises ConfigError, also where a pair of the store is too long for a batch.
    """

    def __init__(
        self,
        store: Store,
        tokenizer: Tokenizer,
        max_tokens: int,
        seed: int,
        sort_window: int,
        sampling_nbest: int,
        sampling_alpha: float,
        bpe_dropout: float,
        sampled_sides: Sequence[str],
        prefetch: int,
        noises: Mapping[str, Noise] | None = None,
    ) -> None:
        for name, value, least in (
            ("max_tokens", max_tokens, 1),
            ("sort_window", sort_window, 1),
            ("prefetch", prefetch, 0),
            ("seed", seed, 0),
        ):
            if value < least:
                raise ConfigError(f"loader.{name}: expected at least {least}, got {value}")
        longest = max(store.sizes.longest_source, store.sizes.longest_target) + 1
        if longest > max_tokens:
            raise ConfigError(
                f"loader.max_tokens: {max_tokens} does not hold the longest pair, {longest} tokens with EOS; "
                f"set loader.max_tokens={longest} or prepare with a smaller limit"
            )
        self.store, self.max_tokens, self.seed, self.sort_window, self.prefetch = (
            store,
            max_tokens,
            seed,
            sort_window,
            prefetch,
        )
        self.sampling = SubwordSampling(tokenizer, seed, sampling_nbest, sampling_alpha, bpe_dropout, sampled_sides)
        self.augmentation = Augmentation(noises, store, tokenizer, self.sampling, seed, max_tokens) if noises else None
        self._tags = np.array([tokenizer.tag_id(language) for language in store.languages], dtype=np.int64)
        self._surveyed: dict[int, EpochStats] = {}

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (0 or more) from number `start` on.

        Close the iterator (or let it go) to stop the thread; what fails in the thread is raised here.
        """
        batches = self._make(epoch, start)
        return prefetch(batches, self.prefetch) if self.prefetch else batches

    def batch_count(self, epoch: int) -> int:
        """The number of batches of the epoch, from the lengths alone."""
        if epoch not in self._surveyed:
            self._surveyed = {epoch: self._survey(epoch)}
        return self._surveyed[epoch].batches

    def largest_batch(self, epoch: int) -> Batch:
        """The batch of an epoch that needs the most memory: the most places on both sides, then the longest rows.

        Where lines are changed, its rows are as long as they may become.
        """
        self.batch_count(epoch)
        plan = self._surveyed[epoch].worst
        source, target = self.sampling(self.store, plan.rows, epoch)
        if self.augmentation:
            source, target = _stretched(source, plan.source), _stretched(target, plan.target)
        return self._framed(source, target, plan.rows)

    def texts(self, batch: Batch) -> list[tuple[str, str]]:
        """The lines of source and target that a batch was made of."""
        return list(zip(*self.store.texts(batch.pairs.numpy()), strict=True))

    def padding(self, epoch: int) -> Padding:
        """The padding of an epoch's batches without subword sampling, EOS counted, tags not."""
        real = padded = 0
        for window in range(self._windows):
            for plan in self._plans(epoch, window):
                for lengths in (plan.source, plan.target):
                    real += int(lengths.sum()) + len(lengths)
                    padded += (int(lengths.max()) + 1) * len(lengths)
        return Padding(real, padded)

    @property
    def _windows(self) -> int:
        return -(-len(self.store) // self.sort_window)

    def _survey(self, epoch: int) -> "EpochStats":
        count, largest, worst = 0, (0, 0), unchanged(self.store, np.empty(0, dtype=np.int64))
        for window in range(self._windows):
            plans = self._plans(epoch, window)
            count += len(plans)
            for plan in plans:
                source, target = int(plan.source.max()) + 2, int(plan.target.max()) + 2
                if (size := (len(plan.rows) * (source + target), source * target)) > largest:
                    largest, worst = size, plan
        return EpochStats(count, worst)

    def _make(self, epoch: int, start: int) -> Iterator[Batch]:
        for window in range(self._windows):
            plans = self._plans(epoch, window)
            for plan in plans[start:]:
                yield self._batch(plan, epoch)
            start = max(0, start - len(plans))

    def _plans(self, epoch: int, window: int) -> list[NoisePlan]:
        """What the batches of a window are made of."""
        first = window * self.sort_window
        positions = np.arange(first, min(first + self.sort_window, len(self.store)), dtype=np.int64)
        rows = permuted(positions, len(self.store), self.seed, epoch)
        plan = self.augmentation.plan(rows, epoch) if self.augmentation else unchanged(self.store, rows)
        order = by_length(plan.source, plan.target)
        edges = fill(plan.source[order] + 1, plan.target[order] + 1, self.max_tokens)
        plans = [plan.at(order[start:end]) for start, end in pairwise(edges)]
        shuffled = np.random.Generator(np.random.PCG64([self.seed, epoch, window])).permutation(len(plans))
        return [plans[number] for number in shuffled]

    def _batch(self, plan: NoisePlan, epoch: int) -> Batch:
        source, target = self.sampling(self.store, plan.rows, epoch)
        if self.augmentation:
            for place, *changed in self.augmentation(plan, epoch):
                source[place], target[place] = changed
        return self._framed(source, target, plan.rows)

    def _framed(self, source: list[Pieces], target: list[Pieces], rows: Integers) -> Batch:
        return self.batch(source, target, self._tags[self.store.language_numbers(rows)[1]], rows)

    def batch(self, source: list[Pieces], target: list[Pieces], tags: Integers, rows: Integers) -> Batch:
        """Pieces as padded rows; `tags` are those of the target languages. Loaders of other rows override it."""
        return Batch(*padded(source, tags, symbols.EOS), *padded(target, tags, symbols.EOS), torch.from_numpy(rows))


def by_length(source: Integers, target: Integers) -> Integers:
    """An order in which neighbours are alike on both sides: by the longer side, then by which side it is.

    The second key alternates between ascending and descending, so that a batch across two lengths has one shape:
    compared with sorting by target and source this halves the padding. The sort is stable: equal pairs keep their
    random order.
    """
    longer = np.maximum(source, target)
    order: Integers = np.lexsort((np.where(longer % 2, source - target, target - source), longer))
    return order


def fill(source: Integers, target: Integers, tokens: int) -> list[int]:
    """Where to cut rows into batches, the two ends included, so that rows times longest never exceeds `tokens`.

    source [3, 3, 4, 9], target [2, 3, 3, 4], tokens 10 -> [0, 2, 3, 4]: three rows of 4 would make 12.
    """
    edges, longest = [0], 0
    for row, length in enumerate(np.maximum(source, target).tolist()):
        longest = max(longest, length)
        if longest * (row + 1 - edges[-1]) > tokens:
            edges.append(row)
            longest = length
    return [*edges, len(source)]


def _stretched(pieces: list[Pieces], lengths: Integers) -> list[Pieces]:
    """A length for rows of unknown content."""
    return [np.resize(line, length) for line, length in zip(pieces, lengths.tolist(), strict=True)]


def padded(pieces: list[Pieces], first: Integers | None, last: int | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows `[first, pieces, last]`, without those that are None, and their mask."""
    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    begin, more = int(first is not None), int(last is not None)
    ids: np.ndarray[Any, Any] = np.full((len(pieces), begin + int(lengths.max()) + more), symbols.PAD, dtype=np.int64)
    if first is not None:
        ids[:, 0] = first
    for row, line in zip(ids, pieces, strict=True):
        row[begin : begin + len(line)] = line
    if last is not None:
        ids[np.arange(len(pieces)), begin + lengths] = last
    mask = np.arange(ids.shape[1]) < (begin + lengths + more)[:, None]
    return torch.from_numpy(ids), torch.from_numpy(mask)
