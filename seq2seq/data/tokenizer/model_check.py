"""What a sentencepiece model must be before the library sees it, which crashes without an exception on crafted ones.

The library's releases up to 0.2.1 overflow the stack on a piece of 100 KB, and follow the offsets of a precompiled
charsmap (a double-array trie) out of its memory. Here the message is walked through, and both are bounded.
"""

import math
import struct
from collections.abc import Iterator

import numpy as np

from seq2seq.errors import ModelError

LARGEST_MODEL = 64 << 20  # bytes
MOST_PIECES = 1_000_000
LONGEST_PIECE = 4096  # bytes; sentencepiece learns pieces of 16 characters
PIECES, NORMALIZER, DENORMALIZER = 1, 3, 5  # fields of the model
TEXT, SCORE = 1, 2  # fields of a piece
CHARSMAP = 2  # field of a normaliser
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # wire types
LEAF, VALUE = 1 << 8, 1 << 31  # bits of a unit of the trie


def check_model(model: bytes) -> None:
    """Raises ModelError for a serialised model that sentencepiece may not survive."""
    if len(model) > LARGEST_MODEL:
        raise _damaged(f"it has {len(model):,} bytes, at most {LARGEST_MODEL:,} are read")
    count = 0
    for field, content in _fields(model):
        if field == PIECES and isinstance(content, bytes):
            count += 1
            _check_piece(content, count)
        elif field in (NORMALIZER, DENORMALIZER) and isinstance(content, bytes):
            for inner, charsmap in _fields(content):
                if inner == CHARSMAP and isinstance(charsmap, bytes) and charsmap:
                    _check_charsmap(charsmap)
    if count > MOST_PIECES:
        raise _damaged(f"it has {count:,} pieces, at most {MOST_PIECES:,} are read")


def _check_piece(content: bytes, number: int) -> None:
    for field, value in _fields(content):
        if field == TEXT and isinstance(value, bytes) and len(value) > LONGEST_PIECE:
            raise _damaged(f"piece {number} has {len(value):,} bytes, at most {LONGEST_PIECE:,} are read")
        if field == SCORE and isinstance(value, int) and not math.isfinite(_as_float(value)):
            raise _damaged(f"the score of piece {number} is no finite number")


def _check_charsmap(charsmap: bytes) -> None:
    """A charsmap is the size of its trie, the trie, and the texts that its values are places in, each ended by NUL."""
    size = int.from_bytes(charsmap[:4], "little")
    if len(charsmap) < 4 or size % 1024 or not size or 4 + size >= len(charsmap) or charsmap[-1] != 0:
        raise _damaged("its charsmap does not fit its size")
    units = np.frombuffer(charsmap, "<u4", size // 4, 4)
    offsets = (units >> 10) << ((units & (1 << 9)) >> 6)
    inner = (units & VALUE) == 0
    inner[0] = True  # the root is followed in any case
    targets = np.arange(len(units), dtype=np.uint32)[inner] ^ offsets[inner]
    if bool(((targets | 255) >= len(units)).any()):
        raise _damaged("its charsmap points out of itself")
    values = units[targets[(units[inner] & LEAF) != 0]] & (VALUE - 1)
    if bool((values >= len(charsmap) - 4 - size).any()):
        raise _damaged("its charsmap points behind its texts")


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Number and content of every field of a protocol buffer."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield key >> 3, value
            continue
        length, place = _varint(message, place) if kind == LENGTH else ({FIXED64: 8, FIXED32: 4}.get(kind, -1), place)
        if length < 0 or place + length > len(message):
            raise _damaged(f"its message breaks off at byte {place:,}")
        content = message[place : place + length]
        place += length
        yield key >> 3, content if kind == LENGTH else int.from_bytes(content, "little")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 70:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise _damaged(f"its message breaks off at byte {place:,}")


def _as_float(bits: int) -> float:
    return float(struct.unpack("<f", (bits & 0xFFFFFFFF).to_bytes(4, "little"))[0])


def _damaged(problem: str) -> ModelError:
    return ModelError(
        f"the tokenizer's model is damaged: {problem}; copy the model folder again, from a source you trust"
    )
