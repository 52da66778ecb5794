"""Pairs of text to chunks of Arrow: every line of a chunk is tokenised once, however many directions use it."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np
import pyarrow as pa

from seq2seq.data.corpus.base import Pair
from seq2seq.data.tokenizer.canonical import source_text
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer

CHUNK = 16_384  # pairs; memory while preparing, and rows of a record batch


def encode_pairs(
    pairs: Iterable[Pair], tokenizer: Tokenizer, schema: pa.Schema, longest: int | None
) -> Iterator[tuple[pa.RecordBatch, list[str]]]:
    """Chunks in the order of the pairs, each with the origins of its pairs that were dropped.

    A pair is dropped where a side has more than `longest` pieces; None keeps all.
    """
    numbers = {language: number for number, language in enumerate(tokenizer.languages)}
    stream = iter(pairs)
    while chunk := list(islice(stream, CHUNK)):
        sources, targets, source_texts, target_texts, origins = zip(*chunk, strict=True)
        source_ids, target_ids = _encode_sides(source_texts, target_texts, tokenizer, schema.field("source_ids").type)
        columns = [
            pa.array([numbers[language] for language in sources], pa.int16()),
            pa.array([numbers[language] for language in targets], pa.int16()),
            source_ids.value_lengths(),
            target_ids.value_lengths(),
            source_ids,
            target_ids,
            pa.array(source_texts, pa.string()),
            pa.array(target_texts, pa.string()),
        ]
        batch = pa.RecordBatch.from_arrays(columns, schema=schema)
        yield _shorten(batch, origins, longest)


def _encode_sides(
    sources: tuple[str, ...], targets: tuple[str, ...], tokenizer: Tokenizer, kind: pa.ListType
) -> tuple[pa.ListArray, pa.ListArray]:
    """The pieces of each source and of each target, one list a row; a joint tokenizer sees both sides at once, unless
    it knows tags that only sources have."""
    if not tokenizer.joint or tokenizer.source_tags:
        return _encode(sources, tokenizer, "source", kind), _encode(targets, tokenizer, "target", kind)
    if tokenizer.canonical:  # source text in its canonical form is as good as target text
        sources = tuple(map(source_text, sources))
    both = _encode(sources + targets, tokenizer, "target", kind)
    return both.slice(0, len(sources)), both.slice(len(sources))


def _encode(texts: tuple[str, ...], tokenizer: Tokenizer, side: Side, kind: pa.ListType) -> pa.ListArray:
    places: dict[str, int] = {}
    rows = [places.setdefault(text, len(places)) for text in texts]
    encoded = tokenizer.encode(list(places), tokenizer.languages[0], side)  # pieces do not depend on it
    edges = np.zeros(len(encoded) + 1, dtype=np.int32)
    np.cumsum([len(ids) for ids in encoded], out=edges[1:])
    values = np.fromiter(chain.from_iterable(encoded), kind.value_type.to_pandas_dtype(), int(edges[-1]))
    lists = pa.ListArray.from_arrays(pa.array(edges), pa.array(values), type=kind)
    return lists if len(places) == len(texts) else lists.take(pa.array(rows, pa.int32()))


def _shorten(batch: pa.RecordBatch, origins: tuple[str, ...], longest: int | None) -> tuple[pa.RecordBatch, list[str]]:
    if longest is None:
        return batch, []
    lengths = np.maximum(batch.column("source_length").to_numpy(), batch.column("target_length").to_numpy())
    short = lengths <= longest
    dropped = [origins[row] for row in np.flatnonzero(~short)]
    return (batch.filter(pa.array(short)) if dropped else batch), dropped
