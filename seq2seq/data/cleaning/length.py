"""Drops pairs with a very short or very long side."""

from dataclasses import dataclass

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError


@dataclass(frozen=True)
class Length(Filter):
    """Drops a pair where either side has fewer than `shortest` or more than `longest` characters."""

    shortest: int
    longest: int

    def __post_init__(self) -> None:
        if not 0 <= self.shortest <= self.longest:
            raise ConfigError(
                "cleaning.length: expected 0 <= shortest <= longest, "
                f"got shortest={self.shortest}, longest={self.longest}"
            )

    def keep(self, pair: Pair) -> bool:
        return self.shortest <= len(pair.source) <= self.longest and self.shortest <= len(pair.target) <= self.longest
