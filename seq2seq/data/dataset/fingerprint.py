"""What the data of a run are, known by their content: which text, which tokenizer, which pairs were made of it.

    {"train": {"train": {"pairs": 1600, "text": "5f0c...", "files": "9a31..."}}, "valid": {...},
     "tokenizer": {"sha256": "07be..."}, "prepared": {"pairs": 1588, "sha256": "c1d2..."}}

`text` is a hash of the pairs themselves, so that a file may be compressed or moved; `files` is the corpus's own
fingerprint, which is known without reading a line.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from seq2seq.data.corpus.base import Corpus, Pair

Fingerprint = Mapping[str, Mapping[str, Any]]  # as above; JSON can hold it


class SplitContent(NamedTuple):
    """The number of a split's pairs and a hash of their text."""

    pairs: int
    text: str


class TextHash:
    """A hash of pairs that pass, in their order: languages and text, not where they were read."""

    def __init__(self) -> None:
        self.pairs = 0
        self._digest = hashlib.sha256()

    def passing(self, pairs: Iterable[Pair]) -> Iterator[Pair]:
        """The same pairs."""
        for pair in pairs:
            self.pairs += 1
            text = f"{pair.source_language} {pair.target_language} {len(pair.source)} {pair.source}{pair.target}\n"
            self._digest.update(text.encode("utf-8", "surrogatepass"))
            yield pair

    @property
    def content(self) -> SplitContent:
        """Of all pairs that have passed."""
        return SplitContent(self.pairs, self._digest.hexdigest())


class ColumnHash:
    """A hash of a store's numbers, each column by itself: in how many chunks they come changes nothing."""

    COLUMNS = ("source_language", "target_language", "source_length", "target_length", "source_ids", "target_ids")

    def __init__(self) -> None:
        self._digests = {name: hashlib.sha256() for name in self.COLUMNS}

    def add(self, chunk: pa.RecordBatch) -> None:
        """Take in the rows of one chunk."""
        for name, digest in self._digests.items():
            column = chunk.column(name)
            values = column.flatten() if name.endswith("_ids") else column
            digest.update(np.ascontiguousarray(values.to_numpy(zero_copy_only=False), dtype=np.int32).data)

    def hexdigest(self) -> str:
        """Of all rows so far."""
        return hashlib.sha256(b"".join(one.digest() for one in self._digests.values())).hexdigest()


def split_content(corpus: Corpus, split: str) -> SplitContent:
    """Reads a split to its end."""
    text = TextHash()
    for _ in text.passing(corpus.pairs(split)):
        pass
    return text.content


def tokenizer_hash(models: Sequence[bytes]) -> str:
    """Of a tokenizer's files."""
    return hashlib.sha256(b"".join(hashlib.sha256(model).digest() for model in models)).hexdigest()
