"""A closed set of labels: what a classifier or a tagger may answer, and what a generator may be asked for."""

import json
from collections.abc import Iterable
from pathlib import Path

from seq2seq.errors import DataError, ModelError
from seq2seq.io.text import read_json

FILE = "labels.json"
MOST = 1 << 16  # labels; more are most often text that was taken for labels
SHOWN, LONGEST = 12, 30  # labels named in a message, and characters of each


class Labels:
    """The labels in their order; a label's id is its place, from 0. DataError unless two or more, all different.

    Labels(["de", "en"]).id("en") == 1
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        self._ids = {name: number for number, name in enumerate(self.names)}
        if len(self._ids) < len(self.names) or not 2 <= len(self.names) <= MOST:
            raise DataError(
                f"labels: expected 2 to {MOST:,} different ones, got {len(self._ids):,}: {self.listed()}; "
                "corpus.directions names the text's column first for text-label and the label's first for label-text"
            )

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._ids

    def id(self, name: str) -> int:
        """The place of a label; KeyError for a label that is none of these."""
        return self._ids[name]

    def listed(self) -> str:
        """Their names for a message, the first dozen of many."""
        more = f" and {len(self.names) - SHOWN:,} more" if len(self.names) > SHOWN else ""
        return ", ".join(name if len(name) <= LONGEST else f"{name[:LONGEST]}…" for name in self.names[:SHOWN]) + more

    def encoded(self) -> bytes:
        """The same labels give the same bytes."""
        return json.dumps(self.names, ensure_ascii=False, indent=0).encode()

    def save(self, folder: Path) -> None:
        """Writes `labels.json` into a folder."""
        (folder / FILE).write_bytes(self.encoded())

    @classmethod
    def load(cls, folder: Path) -> "Labels":
        """What `save` wrote into a folder. ModelError where that is missing or damaged."""
        path = folder / FILE
        try:
            names = read_json(path.read_bytes())
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError("expected a list of texts")
            return cls(names)
        except (OSError, ValueError, RecursionError, DataError) as error:
            raise ModelError(f"{path}: cannot be read: {error}; copy the model folder again") from error
