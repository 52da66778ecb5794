"""Drops pairs with a very short or very long side."""

from dataclasses import dataclass

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError


@dataclass(frozen=True)
class Length(Filter):
    """Drops a pair where either side has fewer than `min_length` or more than `max_length` characters."""

    min_length: int
    max_length: int

    def __post_init__(self) -> None:
        if not 0 <= self.min_length <= self.max_length:
            raise ConfigError(
                "cleaning.length: expected 0 <= min_length <= max_length, "
                f"got min_length={self.min_length}, max_length={self.max_length}"
            )

    def keep(self, pair: Pair) -> bool:
        return (
            self.min_length <= len(pair.source) <= self.max_length
            and self.min_length <= len(pair.target) <= self.max_length
        )
