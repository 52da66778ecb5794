"""Drops pairs whose sides differ too much in length to be translations."""

from dataclasses import dataclass

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError


@dataclass(frozen=True)
class Ratio(Filter):
    """Drops a pair if one side is more than `max_ratio` times as long as the other, in bytes of UTF-8.

    Bytes, because a Han character (3 bytes) holds as much as some letters (1 byte each): by characters, good pairs of
    Japanese and English would be dropped. Pairs whose longer side has at most `exempt_below` bytes stay: short texts
    vary more.
    """

    max_ratio: float
    exempt_below: int

    def __post_init__(self) -> None:
        if self.max_ratio < 1 or self.exempt_below < 0:
            raise ConfigError(
                "cleaning.ratio: expected max_ratio >= 1 and exempt_below >= 0, "
                f"got max_ratio={self.max_ratio}, exempt_below={self.exempt_below}"
            )

    def keep(self, pair: Pair) -> bool:
        shorter, longer = sorted((len(pair.source.encode()), len(pair.target.encode())))
        return longer <= self.exempt_below or longer <= self.max_ratio * shorter
