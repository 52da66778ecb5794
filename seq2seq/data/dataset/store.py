"""Prepared pairs in memory-mapped Arrow: text, ids and lengths, one directed pair a row.

A store is a folder with `pairs.arrow` (record batches in the order of the corpus) and `store.json` (its sizes).
Nothing is loaded when it is opened: the operating system pages in what is read, and shares it between processes.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from seq2seq.data.arrays import Integers, Pieces
from seq2seq.data.corpus.base import Pair
from seq2seq.data.dataset.cache import ColumnHash
from seq2seq.data.loader.shuffle import uniform
from seq2seq.errors import DataError
from seq2seq.io.text import read_json

FORMAT = 3  # of the folder; another number is another cache entry
PAIRS, SIZES = "pairs.arrow", "store.json"
_PAIR = ("source_language", "target_language", "source", "target")
BLOCK = 1 << 16  # rows that are looked at together


@dataclass(frozen=True)
class Sizes:
    """What a store holds, in numbers: pairs, pieces a side (without tag and EOS) and the longest line's pieces.

    sha256: of languages, lengths and ids of all pairs.
    """

    languages: list[str]
    pairs: int = 0
    source_tokens: int = 0
    target_tokens: int = 0
    longest_source: int = 0
    longest_target: int = 0
    sha256: str = ""
    format: int = FORMAT


def schema(wide: bool) -> pa.Schema:
    """The columns of a store; ids in 16 bits unless the vocabulary is `wide` (more than 65,536 ids)."""
    ids = pa.list_(pa.int32() if wide else pa.uint16())
    return pa.schema(
        [
            ("source_language", pa.int16()),  # numbers into Sizes.languages
            ("target_language", pa.int16()),
            ("source_length", pa.int32()),  # pieces
            ("target_length", pa.int32()),
            ("source_ids", ids),
            ("target_ids", ids),
            ("source", pa.string()),
            ("target", pa.string()),
        ]
    )


class Writer:
    """Writes a store in chunks, so that memory holds one chunk. Leaving it as a context completes the folder."""

    def __init__(self, folder: Path, languages: list[str], wide: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.schema = schema(wide)
        self.sizes = Sizes(languages)
        self._hash = ColumnHash()
        self._writer = pa.ipc.new_file(str(folder / PAIRS), self.schema)

    def write(self, chunk: pa.RecordBatch) -> None:
        """Appends the rows of one chunk."""
        if chunk.num_rows == 0:
            return
        self._writer.write_batch(chunk)
        self._hash.add(chunk)
        source, target = chunk.column("source_length").to_numpy(), chunk.column("target_length").to_numpy()
        before = self.sizes
        self.sizes = Sizes(
            before.languages,
            before.pairs + chunk.num_rows,
            before.source_tokens + int(source.sum(dtype=np.int64)),
            before.target_tokens + int(target.sum(dtype=np.int64)),
            max(before.longest_source, int(source.max())),
            max(before.longest_target, int(target.max())),
        )

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._writer.close()
        if kind is None:
            sizes = replace(self.sizes, sha256=self._hash.hexdigest())
            (self.folder / SIZES).write_text(json.dumps(asdict(sizes), indent=1), encoding="utf-8")


class Store:
    """Random access to the pairs of a store folder; a row is a pair's number in it.

    Raises DataError where the folder holds no whole store of this format.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.sizes = Sizes(**read_json((self.folder / SIZES).read_text(encoding="utf-8")))
            reader = pa.ipc.open_file(pa.memory_map(str(self.folder / PAIRS)))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{folder}: not a prepared store ({error}); remove the folder and prepare again") from error
        self._chunks = [_Chunk(reader.get_batch(number)) for number in range(reader.num_record_batches)]
        self._starts = np.cumsum([0, *(chunk.rows for chunk in self._chunks)], dtype=np.int64)
        self.languages = self.sizes.languages

    def __len__(self) -> int:
        return self.sizes.pairs

    def __getstate__(self) -> Path:
        return self.folder  # another process maps the file again

    def __setstate__(self, folder: Path) -> None:
        self.__init__(folder)  # type: ignore[misc]

    def lengths(self, rows: Integers) -> tuple[Integers, Integers]:
        """The pieces of each row's source and target."""
        return self._gather("source_length", rows), self._gather("target_length", rows)

    def language_numbers(self, rows: Integers) -> tuple[Integers, Integers]:
        """Each row's source and target language as numbers into `languages`."""
        return self._gather("source_language", rows), self._gather("target_language", rows)

    def ids(self, rows: Integers) -> tuple[list[Pieces], list[Pieces]]:
        """Each row's source and target pieces, as views of the mapped file."""
        places = self._places(rows)
        source = [self._chunks[chunk].source(row) for chunk, row in places]
        return source, [self._chunks[chunk].target(row) for chunk, row in places]

    def texts(self, rows: Integers) -> tuple[list[str], list[str]]:
        """Each row's source and target text, as read from the corpus."""
        sources, targets = [], []
        for chunk, row in self._places(rows):
            sources.append(self._chunks[chunk].batch.column("source")[row].as_py())
            targets.append(self._chunks[chunk].batch.column("target")[row].as_py())
        return sources, targets

    def pairs(self) -> Iterator[Pair]:
        """Every pair's text in the order of the store."""
        for start, chunk in zip(self._starts.tolist(), self._chunks, strict=False):
            columns = [chunk.batch.column(name).to_pylist() for name in _PAIR]
            for row, (source, target, source_text, target_text) in enumerate(zip(*columns, strict=True)):
                origin = f"{self.folder.name}:{start + row + 1}"
                yield Pair(self.languages[source], self.languages[target], source_text, target_text, origin)

    def _places(self, rows: Integers) -> list[tuple[int, int]]:
        """Chunk and row inside it, for each row."""
        chunks = np.searchsorted(self._starts, rows, side="right") - 1
        return list(zip(chunks.tolist(), (rows - self._starts[chunks]).tolist(), strict=True))

    def _gather(self, column: str, rows: Integers) -> Integers:
        result = np.empty(len(rows), dtype=np.int64)
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
        edges = np.searchsorted(ordered, self._starts)
        for number in np.flatnonzero(np.diff(edges)).tolist():
            part = slice(edges[number], edges[number + 1])
            values = self._chunks[number].batch.column(column).to_numpy()
            result[order[part]] = values[ordered[part] - self._starts[number]]
        return result


class _Chunk:
    """One record batch with its id columns as numpy views."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self.rows = batch.num_rows
        self._source, self._target = batch.column("source_ids"), batch.column("target_ids")
        self._views: list[np.ndarray[Any, np.dtype[Any]]] = []

    def source(self, row: int) -> Pieces:
        values, edges = self._open()[:2]
        return values[edges[row] : edges[row + 1]]

    def target(self, row: int) -> Pieces:
        values, edges = self._open()[2:]
        return values[edges[row] : edges[row + 1]]

    def _open(self) -> list[np.ndarray[Any, np.dtype[Any]]]:
        if not self._views:  # made on first use: a large store has thousands of chunks
            for column in (self._source, self._target):
                self._views += [column.values.to_numpy(), column.offsets.to_numpy()]
        return self._views


def balanced_sample(store: Store, lines: int) -> Integers:
    """Rows in which every language has about `lines` on each of its sides, or all its lines.

    The directions of a language share its lines. Deterministic, in the order of the store. It reads the language
    numbers of all rows, nothing else.
    """
    kinds = len(store.languages)
    counts = np.zeros(kinds * kinds, dtype=np.int64)
    for _, directions in _blocks(store):
        counts += np.bincount(directions, minlength=len(counts))
    present = counts.reshape(kinds, kinds) > 0
    sharing = np.minimum(present.sum(1)[:, None], present.sum(0)[None, :]).ravel()
    quotas = -(-lines // np.maximum(sharing, 1))
    likely = (quotas + 6 * np.sqrt(quotas) + 10) / np.maximum(counts, 1)  # so that hardly ever too few are drawn
    drawn = [rows[uniform(rows, 0, 0, 0) < likely[directions]] for rows, directions in _blocks(store)]
    return np.sort(_first(store, np.concatenate([np.empty(0, dtype=np.int64), *drawn]), quotas))


def _first(store: Store, rows: Integers, quotas: Integers) -> Integers:
    """Of each direction as many rows as its quota, those with the smallest numbers."""
    directions = _directions(store, rows)
    order = np.lexsort((uniform(rows, 0, 0, 0), directions))
    rows, directions = rows[order], directions[order]
    ranks = np.arange(len(rows)) - np.searchsorted(directions, directions)
    chosen: Integers = rows[ranks < quotas[directions]]
    return chosen


def _blocks(store: Store) -> Iterator[tuple[Integers, Integers]]:
    for first in range(0, len(store), BLOCK):
        rows = np.arange(first, min(first + BLOCK, len(store)), dtype=np.int64)
        yield rows, _directions(store, rows)


def _directions(store: Store, rows: Integers) -> Integers:
    """Source and target language as one number."""
    source, target = store.language_numbers(rows)
    return source * len(store.languages) + target
