"""Several pairs on one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from seq2seq.data.augmentation.base import Noise
from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError
from seq2seq.languages import writing


@dataclass(frozen=True)
class Joined(Noise):
    """Two pairs of one direction, or with probability `three` three, become one line, and their targets one too.

    `A dog runs.` and `A man sleeps.` become `A dog runs. A man sleeps.`
    """

    most = 3

    three: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.three <= 1:
            raise ConfigError(f"three: expected a probability from 0 to 1, got {self.three}")

    def pairs(self, number: float) -> int:
        return 3 if number < self.three else 2

    def __call__(self, pairs: Sequence[Pair], random: Random) -> Pair:
        first = pairs[0]
        source = writing(first.source_language).gap.join(pair.source.strip() for pair in pairs)
        target = writing(first.target_language).gap.join(pair.target.strip() for pair in pairs)
        return first._replace(source=source, target=target)
