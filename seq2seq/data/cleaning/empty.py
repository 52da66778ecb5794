"""Drops pairs with a blank side."""

from dataclasses import dataclass

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.corpus.base import Pair


@dataclass(frozen=True)
class Empty(Filter):
    """Drops a pair where either side holds nothing but white space."""

    def keep(self, pair: Pair) -> bool:
        return not (pair.source.isspace() or pair.target.isspace() or pair.source == "" or pair.target == "")
