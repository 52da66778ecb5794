"""A named corpus that is read from a folder where that exists, and from the hub where it does not."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from seq2seq.config.typecheck import place
from seq2seq.data.corpus.base import Corpus, Record


class Fallback(Corpus):
    """`local` where the folder `path` exists, otherwise `hub`; nothing of the other one is read.

    directions, train, valid, test: of both; the nodes of `local` and `hub` refer to them, so that one override changes
    both.
    """

    def __init__(
        self,
        path: str | Path,
        directions: Sequence[str] | str,
        train: Sequence[str],
        valid: Sequence[str],
        test: Sequence[str],
        local: Corpus,
        hub: Corpus,
    ) -> None:
        self.chosen = local if place(path).is_dir() else hub
        spelt = directions if directions != "all" else [f"{one}-{other}" for one, other in self.chosen.directions]
        super().__init__(self.chosen.languages, spelt, train, valid, test)
        self.carriage_returns = self.chosen.carriage_returns

    def records(self, split: str) -> Iterator[Record]:
        return self.chosen.records(split)

    def fingerprint(self, split: str) -> str:
        return self.chosen.fingerprint(split)

    def paths(self, split: str) -> list[Path]:
        return self.chosen.paths(split)
