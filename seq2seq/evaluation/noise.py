"""Noisy versions of test sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from seq2seq.data.augmentation.base import Noise
from seq2seq.data.corpus.base import Pair
from seq2seq.data.loader.shuffle import named, uniform


@dataclass(frozen=True)
class Version:
    """A test set as it is (`noise` is None), or with one kind of noise on all of its pairs, drawn from `seed`."""

    name: str
    noise: Noise | None
    seed: int

    @property
    def cased(self) -> bool:
        """Whether the case of translations counts."""
        return self.noise is None or self.noise.cased

    def of(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs of the test set in this version; fewer where several become one, each of which is used once."""
        if self.noise is None:
            return list(pairs)
        rows = np.arange(len(pairs), dtype=np.int64)
        counts, details = (uniform(rows, self.seed, 0, stream).tolist() for stream in (0, 1))
        changed: list[Pair] = []
        place = 0
        while place < len(pairs):
            some = pairs[place : place + self.noise.pairs(counts[place])]
            changed.append(self.noise(some, Random(int(details[place] * 2**53))))
            place += len(some)
        return changed


def versions(split: str, noises: Mapping[str, Noise], seed: int) -> list[Version]:
    """The test set itself, and `SPLIT+NAME` for each kind of noise."""
    noisy = [Version(f"{split}+{name}", noise, named(seed, name)) for name, noise in noises.items()]
    return [Version(split, None, seed), *noisy]
