"""Noise: kinds of change that users' text shows and clean training text does not."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError


@dataclass(frozen=True)
class Noise(ABC):
    """One kind of change: a pure function of a pair (or of several that become one) and of random numbers.

    probability: the probability that a pair of the training text is changed so; of a noisy test set every pair is.
    Members call nothing but `random()` of the generator: only that gives equal numbers in every version of Python.
    Raises ConfigError.
    """

    growth: ClassVar[float] = (
        1.0  # at most this many times the pieces of the source; a line that grows more is unchanged
    )
    target_growth: ClassVar[float] = 1.0  # the same of the target
    cased: ClassVar[bool] = (
        True  # whether scores on noisy sources are cased: not if the noise removes the case of the source
    )
    most: ClassVar[int] = 1  # pairs that become one, at most

    probability: float

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ConfigError(f"probability: expected a probability from 0 to 1, got {self.probability}")

    def pairs(self, number: float) -> int:
        """How many pairs become one; `number` is a random one in [0, 1)."""
        return 1

    @abstractmethod
    def __call__(self, pairs: Sequence[Pair], random: Random) -> Pair:
        """The changed pair. `pairs` has as many as the method of that name says."""


class SourceNoise(Noise):
    """Changes only the source."""

    def __call__(self, pairs: Sequence[Pair], random: Random) -> Pair:
        [pair] = pairs
        return pair._replace(source=self.changed(pair.source, random))

    @abstractmethod
    def changed(self, text: str, random: Random) -> str:
        """The changed source."""
