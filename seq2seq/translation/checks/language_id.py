"""Which language a translation is in: naive Bayes over pieces, counted on the training text."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from seq2seq.data.arrays import Pieces, Reals
from seq2seq.data.dataset.store import Store, balanced_sample
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ModelError
from seq2seq.io.text import read_json
from seq2seq.model_folder.weights import open_sidecar

FILE = "languages.safetensors"
LINES = 10_000  # of a language that are counted at most
UNSEEN = 0.5  # added to every count
EVIDENCE = 8.0  # nats by which another language must explain a translation better ...
RATE = 0.5  # ... plus this many for every piece
MOST = 4.0  # nats per piece at most, so that a single name does not decide


class LanguageIdentifier:
    """The languages of a vocabulary, with the log-probability of each of its target-side pieces.

    A language that the text does not have is not among them. See tests for what it is worth.
    """

    def __init__(self, names: Sequence[str], scores: Reals) -> None:
        self.names = list(names)
        self.scores = scores

    def foreign(self, ids: Sequence[int], language: str) -> bool:
        """Whether text is certainly in another language than this one; few pieces are not enough evidence."""
        if language not in self.names or not ids:
            return False
        known = self.scores[:, np.fromiter(ids, np.int64, len(ids))]
        better = np.clip(known - known[self.names.index(language)], -MOST, MOST).sum(1).max()
        return bool(better > max(EVIDENCE, RATE * len(ids)))

    def save(self, folder: Path) -> None:
        """Writes `languages.safetensors`, two bytes a number."""
        metadata = {"languages": json.dumps(self.names)}
        (folder / FILE).write_bytes(save({"scores": self.scores.astype(np.float16)}, metadata))

    @classmethod
    def load(cls, folder: Path, vocabulary: int) -> "LanguageIdentifier | None":
        """What `save` wrote into a folder; None where it holds none. ModelError where it is damaged."""
        path = folder / FILE
        if not path.exists():
            return None
        with open_sidecar(path, "copy the folder again") as file:
            names = read_json(file.metadata()["languages"])
            scores = file.get_tensor("scores").astype(np.float64)
        if not isinstance(names, list) or scores.shape != (len(names), vocabulary) or not np.isfinite(scores).all():
            raise ModelError(f"{path}: expected {vocabulary} finite numbers a language, got {scores.shape}")
        return cls(names, scores)


def learn_languages(store: Store, tokenizer: Tokenizer) -> LanguageIdentifier | None:
    """The languages of training text; None where only one is spelt with target-side pieces.

    Looks at 10,000 lines of every language, however little of the text it is.
    """
    names = tokenizer.languages
    rows = balanced_sample(store, LINES)
    counts = np.zeros((len(names), tokenizer.sizes[1]))
    sides = list(zip(store.language_numbers(rows), store.ids(rows), strict=True))
    for languages, lines in sides if tokenizer.joint else sides[1:]:
        for number in np.unique(languages):
            _add(counts[number], [lines[row] for row in np.flatnonzero(languages == number)])
    seen = np.flatnonzero(counts.sum(1))
    if len(seen) < 2:
        return None
    likely = counts[seen] + UNSEEN
    return LanguageIdentifier([names[number] for number in seen], np.log(likely / likely.sum(1, keepdims=True)))


def _add(counts: Reals, lines: Sequence[Pieces]) -> None:
    counts += np.bincount(np.concatenate(lines), minlength=len(counts))
