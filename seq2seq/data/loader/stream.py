"""Running text for truncated back-propagation through time: sentence after sentence, cut into rows and chunks.

    stream = Stream(store, tokenizer, streams=2, bptt_length=3, parts=1, prefetch=0)

    text     T a b E T c d e f E T g E        T the language's tag, E EOS
    rows     T a b E T c d                    the second goes on where the first ends: d is
             d e f E T g E                    the first one's last target and the second one's first input
    chunks   [T a b E]  [E T c d]             the first one's inputs T a b, targets a b E
             [d e f E]  [E T g E]

A tag is read, but never predicted: its target is masked, and so is what the last row lacks.
"""

from collections.abc import Iterator

import numpy as np
import torch

from seq2seq import special_tokens as symbols
from seq2seq.data.arrays import Integers
from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.prefetch import prefetch
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError

BLOCK = 1024  # lines between two known places of the text: 8 bytes of memory each time


class Stream:
    """A store's target text in its order, the same in every epoch, as consecutive chunks.

    streams: rows of a chunk, each a part of the text. bptt_length: tokens predicted in each row of a chunk, at most.
    parts: batches of `streams / parts` rows that a chunk is split into. prefetch: batches that a thread prepares in
    advance; 0: none. `pairs` of a batch holds the position in the text of each row's first token, so that a row
    continues where it ended in the chunk before; its source is empty. Raises ConfigError, also for text in several
    languages, or too little text.
    """

    def __init__(
        self, store: Store, tokenizer: Tokenizer, streams: int, bptt_length: int, parts: int, prefetch: int
    ) -> None:
        for name, value, least in (
            ("streams", streams, 1),
            ("bptt_length", bptt_length, 1),
            ("parts", parts, 1),
            ("prefetch", prefetch, 0),
        ):
            if value < least:
                raise ConfigError(f"reading.{name}: expected at least {least}, got {value}")
        if parts > 1 and (streams % parts or streams == parts):
            # of a single row the end would be the beginning of the next part
            raise ConfigError(
                f"reading.streams: expected a multiple of trainer.accumulation ({parts}), at least twice that, "
                f"got {streams}"
            )
        self.tokenizer = tokenizer
        self.text = TokenStream(store, tokenizer)
        if len(self.text) <= streams:
            raise ConfigError(f"reading.streams: {streams} is more than the text's tokens ({len(self.text)}) allow")
        self.streams, self.bptt_length, self.parts, self.prefetch = streams, bptt_length, parts, prefetch
        self.row = -(-(len(self.text) - 1) // streams)  # targets of a row; the first token of all is no target

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on; no epoch differs from another."""
        batches = (self._batch(number) for number in range(start, self.batch_count(epoch)))
        return prefetch(batches, self.prefetch) if self.prefetch else batches

    def batch_count(self, epoch: int) -> int:
        """How many batches the text makes: its chunks times their parts."""
        return -(-self.row // self.bptt_length) * self.parts

    def texts(self, batch: Batch) -> list[tuple[str, str]]:
        """The text of every row that is to be predicted, its sentences side by side; there is no source."""
        rows = [row[real].tolist() for row, real in zip(batch.target[:, 1:], batch.target_mask[:, 1:], strict=True)]
        return [("", " ".join(self.tokenizer.decode(_sentences(row), self.text.language))) for row in rows]

    def _batch(self, number: int) -> Batch:
        chunk, part = divmod(number, self.parts)
        first, rows = chunk * self.bptt_length, self.streams // self.parts
        count = min(self.bptt_length, self.row - first) + 1
        places = np.arange(part * rows, (part + 1) * rows, dtype=np.int64) * self.row + first
        target = torch.zeros(rows, count, dtype=torch.long)
        mask = torch.zeros(rows, count, dtype=torch.bool)
        for stream, place in enumerate(places.tolist()):
            ids = torch.from_numpy(self.text.ids(place, count))
            target[stream, : len(ids)] = ids
            mask[stream, : len(ids)] = ids != self.text.tag
        source = torch.zeros(rows, 0, dtype=torch.long)
        return Batch(source, source.bool(), target, mask, torch.from_numpy(places))


def _sentences(ids: list[int]) -> list[list[int]]:
    """The ids cut after every EOS."""
    result: list[list[int]] = [[]]
    for one in ids:
        result[-1].append(one)
        if one == symbols.EOS:
            result.append([])
    return [sentence for sentence in result if sentence]


class TokenStream:
    """The sentences of a store's target side as one row of ids: `[tag, pieces, EOS, tag, pieces, EOS, ...]`."""

    def __init__(self, store: Store, tokenizer: Tokenizer) -> None:
        self.store = store
        used: set[int] = set()
        edges = [0]
        for first in range(0, len(store), BLOCK):
            rows = self._rows(first)
            used |= set(np.unique(store.language_numbers(rows)[1]).tolist())
            edges.append(edges[-1] + int(self._lengths(rows).sum()))
        if len(used) > 1:
            names = ", ".join(store.languages[number] for number in sorted(used))
            raise ConfigError(
                f"reading: expected running text in one language, got {names}; choose one, or read lines: reading=lines"
            )
        self.edges = np.array(edges, dtype=np.int64)  # the place of every BLOCK-th line, and the end
        self.language = store.languages[used.pop()] if used else store.languages[0]
        self.tag = tokenizer.tag_id(self.language)

    def __len__(self) -> int:
        return int(self.edges[-1])

    def ids(self, place: int, count: int) -> Integers:
        """The `count` ids from `place` on, fewer where the text ends."""
        result: list[Integers] = []
        missing = min(count, len(self) - place)
        while missing > 0:
            block = int(np.searchsorted(self.edges, place, side="right")) - 1
            ids = self._read(block, place - int(self.edges[block]), missing)
            result.append(ids)
            place, missing = place + len(ids), missing - len(ids)
        return np.concatenate(result) if result else np.empty(0, dtype=np.int64)

    def _read(self, block: int, skip: int, count: int) -> Integers:
        """At most `count` ids of a block of lines, without its first `skip`."""
        rows = self._rows(block * BLOCK)
        ends = np.cumsum(self._lengths(rows))
        first, last = np.searchsorted(ends, [skip, skip + count - 1], side="right").tolist()
        _, lines = self.store.ids(rows[first : last + 1])
        framed = [np.concatenate(([self.tag], line, [symbols.EOS])) for line in lines]
        begin = skip - (int(ends[first - 1]) if first else 0)
        ids: Integers = np.concatenate(framed).astype(np.int64)[begin : begin + count]
        return ids

    def _rows(self, first: int) -> Integers:
        return np.arange(first, min(first + BLOCK, len(self.store)), dtype=np.int64)

    def _lengths(self, rows: Integers) -> Integers:
        """Ids of each line, its tag and its EOS counted."""
        return self.store.lengths(rows)[1] + 2
