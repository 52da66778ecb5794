"""Words of a text and the pieces they are made of."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain, repeat
from typing import Literal, NamedTuple

from seq2seq.data.tokenizer import Tokenizer
from seq2seq.languages import unspaced

SPACE = "\u2581"  # how pieces spell a space
BYTE = re.compile(r"<0x([0-9A-F]{2})>")
SEPARATOR = re.compile(rf"[\s{SPACE}]+")


class Span(NamedTuple):
    """Words number `begin` up to `end` (excluded)."""

    begin: int
    end: int


def unit(language: str) -> Literal["words", "characters"]:
    """What counts as a word of a language: what stands between spaces, or a character where there are none."""
    return "characters" if unspaced(language) else "words"


def words(text: str, language: str) -> list[str]:
    """The words of a line, in order: `["Two", "dogs", "play."]`."""
    found = [word for word in SEPARATOR.split(text) if word]
    return [character for word in found for character in word] if unit(language) == "characters" else found


def beginnings(parts: Sequence[str], language: str) -> list[int]:
    """The number of each part's first word in the line that the parts make together; a cut may go through a word."""
    found, count = [], 0
    for before, part in zip(["", *parts], parts, strict=False):
        through = unit(language) == "words" and not any(map(SEPARATOR.fullmatch, (before[-1:] or " ", part[:1] or " ")))
        found.append(count - bool(through))
        count = found[-1] + len(words(part, language))
    return found


def source_spans(tokenizer: Tokenizer, line: str, language: str) -> list[Span]:
    """Which words of the line each of its source pieces holds, in part or whole."""

    def letters(word: str) -> str:
        return tokenizer.normalised(word, "source")[1]

    return spans(tokenizer.spelled(line, "source"), words(line, language), letters)


def target_spans(tokenizer: Tokenizer, ids: Sequence[int], text: str, language: str) -> list[Span]:
    """Which words of a decoded text each of its target-side ids holds, in part or whole."""
    return spans(tokenizer.pieces(ids), words(text, language), str)


def spans(pieces: Sequence[str], words: Sequence[str], letters: Callable[[str], str]) -> list[Span]:
    """Which words each piece holds: `["▁Two", "▁do", "gs"]` are `[0, 1), [1, 2), [1, 2)` of two words.

    A piece of spaces alone belongs to the word after it. `letters` gives a word as the pieces spell it, should that
    not be how it is written.
    """
    counts = list(_counts(pieces))
    lengths = [len(word) for word in words]
    if sum(counts) != sum(lengths):
        lengths = [len(SEPARATOR.sub("", letters(word))) for word in words]
    owners = list(chain.from_iterable(repeat(number, length) for number, length in enumerate(lengths)))
    found, last = [], max(0, len(words) - 1)
    for end, count in zip(accumulate(counts), counts, strict=True):
        held = owners[end - count : end] or owners[end : end + 1] or [last]  # beyond the end: letters that were added
        found.append(Span(held[0], held[-1] + 1))
    return found


def _counts(pieces: Sequence[str]) -> Iterator[int]:
    """How many letters, spaces left out, end in each piece: a character spelt as bytes ends with its last one."""
    pending = b""
    for piece in pieces:
        byte = BYTE.fullmatch(piece)
        if not byte:
            pending = b""
            yield len(SEPARATOR.sub("", piece))
            continue
        pending += bytes.fromhex(byte[1])
        try:
            whole = pending.decode("utf-8")
        except UnicodeDecodeError:
            yield 0
        else:
            pending = b""
            yield len(SEPARATOR.sub("", whole))
