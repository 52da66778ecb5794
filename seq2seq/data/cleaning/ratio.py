"""Drops pairs whose sides differ too much in length to be translations."""

from dataclasses import dataclass

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError


@dataclass(frozen=True)
class Ratio(Filter):
    """Drops a pair where one side is more than `most` times as long as the other, in bytes of UTF-8.

    Bytes, because a Han character (3 bytes) says as much as some letters (1 byte each): by characters good pairs of
    Japanese and English go. Pairs whose longer side has at most `free` bytes stay: short texts vary more.
    """

    most: float
    free: int

    def __post_init__(self) -> None:
        if self.most < 1 or self.free < 0:
            raise ConfigError(
                f"cleaning.ratio: expected most >= 1 and free >= 0, got most={self.most}, free={self.free}"
            )

    def keep(self, pair: Pair) -> bool:
        shorter, longer = sorted((len(pair.source.encode()), len(pair.target.encode())))
        return longer <= self.free or longer <= self.most * shorter
