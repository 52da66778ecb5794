"""Drops pairs whose target repeats the source."""

from dataclasses import dataclass

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError


@dataclass(frozen=True)
class Identical(Filter):
    """Drops a pair with the same text on both sides, outer white space apart: most were never translated.

    Texts of at most `exempt_below` characters stay (names, numbers).
    """

    exempt_below: int

    def __post_init__(self) -> None:
        if self.exempt_below < 0:
            raise ConfigError(
                f"cleaning.identical.exempt_below: expected 0 or more characters, got {self.exempt_below}"
            )

    def keep(self, pair: Pair) -> bool:
        return pair.source.strip() != pair.target.strip() or len(pair.source) <= self.exempt_below
