"""Which rows of an old table over a vocabulary serve a new one: rows follow what they stand for, not their number."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sentencepiece import SentencePieceProcessor

from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer

LONGEST_PIECE = 64  # characters; sentencepiece makes none longer than 16 unless told to


class EmbeddingRemap(NamedTuple):
    """The rows of a new table of `size` rows that begin as rows of an old one of `before` rows; the others begin anew.

    Rows({0: 0, 1: 7}, {2: [3, 5]}, 4, 9): two rows are kept, one begins as the mean of two old ones, one is new.
    """

    kept: dict[int, int]  # new row: old row
    composed: dict[int, list[int]]  # new row: the old rows whose mean it begins as
    size: int
    before: int

    def __str__(self) -> str:
        kept, composed = len(self.kept), len(self.composed)
        if kept == self.size:
            return f"all {self.size:,} rows kept"
        return f"{kept:,} of {self.size:,} rows kept, {composed:,} begin as means, {self.size - kept - composed:,} anew"


def piece_rows(old: Tokenizer, new: Tokenizer, side: Side) -> EmbeddingRemap:
    """Symbols, tags, bytes and pieces are kept by their spelling.

    A new piece is put together from the fewest old pieces that spell it, else from its bytes; a new language's tag from
    all old tags.
    """
    known, wanted = _spelt(old, side), _spelt(new, side)
    kept = {number: known[one] for one, number in wanted.items() if one in known}
    tags = [old.tag_id(language) for language in old.languages]
    pieces = {text: number for (text, kind), number in known.items() if kind == "piece"}
    bytes_of = {text: number for (text, kind), number in known.items() if kind == "byte"}
    composed = {new.tag_id(language): tags for language in new.languages if language not in old.languages}
    for (text, kind), number in wanted.items():
        if kind == "piece" and number not in kept and (spelling := _composed(text, pieces, bytes_of)):
            composed[number] = spelling
    return EmbeddingRemap(kept, composed, len(wanted), len(known))


def name_rows(old: Sequence[str], new: Sequence[str]) -> EmbeddingRemap:
    """Labels are kept by their names; new ones begin anew."""
    known = {name: number for number, name in enumerate(old)}
    kept = {number: known[name] for number, name in enumerate(new) if name in known}
    return EmbeddingRemap(kept, {}, len(new), len(old))


def _spelt(tokenizer: Tokenizer, side: Side) -> dict[tuple[str, str], int]:
    """Spelling and kind of every id, in order: a piece may look like a byte or a tag that it is not."""
    model = SentencePieceProcessor(model_proto=tokenizer.models[0 if side == "source" else -1])
    ids = range(model.get_piece_size())
    return {(model.id_to_piece(number), _kind(model, number)): number for number in ids}


def _kind(model: SentencePieceProcessor, number: int) -> str:
    if model.is_control(number) or model.is_unknown(number):
        return "control"
    return "byte" if model.is_byte(number) else "piece"


def _composed(text: str, pieces: Mapping[str, int], bytes_of: Mapping[str, int]) -> list[int]:
    """The fewest pieces that spell `text`, a character that none has as its bytes; nothing where even these lack."""
    best: list[list[int] | None] = [[]]
    for end in range(1, len(text) + 1):
        ways = [
            [*before, pieces[text[start:end]]]
            for start in range(max(0, end - LONGEST_PIECE), end)
            if (before := best[start]) is not None and text[start:end] in pieces
        ]
        spelling = [f"<0x{byte:02X}>" for byte in text[end - 1].encode()]
        if (before := best[end - 1]) is not None and all(one in bytes_of for one in spelling):
            ways.append([*before, *(bytes_of[one] for one in spelling)])
        best.append(min(ways, key=len, default=None))
    return best[-1] or []
