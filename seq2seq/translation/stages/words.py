"""Words of a text and the pieces they are made of."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain, repeat
from typing import Literal, NamedTuple

from seq2seq.data.tokenizer.canonical import TracedText
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer
from seq2seq.languages import unspaced

SPACE = "\u2581"  # how pieces spell a space
BYTE = re.compile(r"<0x([0-9A-F]{2})>")
WORD, CHARACTER = re.compile(r"\S+"), re.compile(r"\S")
SEPARATOR = re.compile(rf"[\s{SPACE}]+")


class Span(NamedTuple):
    """Words number `begin` up to `end` (excluded)."""

    begin: int
    end: int


def unit(language: str) -> Literal["words", "characters"]:
    """The words of a language: text between spaces, or single characters in languages without spaces."""
    return "characters" if unspaced(language) else "words"


def words(text: str, language: str) -> list[str]:
    """The words of a line, in order: `["Two", "dogs", "play."]`, as `str.split` has them."""
    return CHARACTER.findall(text) if unit(language) == "characters" else text.split()


def starts(text: str, language: str) -> list[int]:
    """Where words begin."""
    return [begin for begin, _ in word_spans(text, language)]


def word_spans(text: str, language: str) -> list[tuple[int, int]]:
    """Where words begin and end."""
    return [match.span() for match in (CHARACTER if unit(language) == "characters" else WORD).finditer(text)]


def own_links(line: str, source: str, target: str) -> tuple[tuple[int, int], ...]:
    """The alignment of a line with itself, whose words the languages may count otherwise."""
    return word_links([(place, place) for place in range(len(line))], (line, line), (source, target))


def word_links(
    pairs: Sequence[tuple[int, int]], texts: tuple[str, str], languages: tuple[str, str]
) -> tuple[tuple[int, int], ...]:
    """The numbers of the words that hold these characters; of spaces none."""
    before, after = (starts(text, language) for text, language in zip(texts, languages, strict=True))
    result = {
        (bisect_right(before, one) - 1, bisect_right(after, other) - 1)
        for one, other in pairs
        if not texts[0][one].isspace()
    }
    return tuple(sorted(result))


def numbers(text: TracedText, given: str, language: str) -> list[int]:
    """For each word of a text that was made of `given`, the number of the word there that it comes from."""
    if text.text == given:
        return list(range(len(words(given, language))))
    begins = starts(given, language)
    return [bisect_right(begins, text.origins[start]) - 1 for start in starts(text.text, language)]


def beginnings(parts: Sequence[str], language: str) -> list[int]:
    """The number of each part's first word in the line that the parts make together; a cut may go through a word."""
    result, count = [], 0
    for before, part in zip(["", *parts], parts, strict=False):
        through = unit(language) == "words" and not any(map(str.isspace, (before[-1:] or " ", part[:1] or " ")))
        result.append(count - bool(through))
        count = result[-1] + len(words(part, language))
    return result


def places(text: str, parts: Sequence[str], language: str) -> list[int]:
    """The number of each part's first word in a line; text between parts is no word."""
    begins, result, end = starts(text, language), [], 0
    for part in parts:
        begin = text.find(part, end)
        assert begin >= 0, "parts come from the line, in order"
        end = begin + len(part)
        result.append(bisect_right(begins, begin + len(part) - len(part.lstrip())) - 1)
    return result


def source_spans(tokenizer: Tokenizer, line: str, language: str) -> list[Span]:
    """Which words of the line each of its source pieces holds, in part or whole."""
    return text_spans(tokenizer, line, language, "source")


def text_spans(tokenizer: Tokenizer, line: str, language: str, side: Side) -> list[Span]:
    """Which words of a line each of its pieces on a side holds, in part or whole."""

    def letters(word: str) -> str:
        return tokenizer.normalised(word, side)[1]

    return spans(tokenizer.spelled(line, side), words(line, language), letters)


def target_spans(tokenizer: Tokenizer, ids: Sequence[int], text: str, language: str) -> list[Span]:
    """Which words of a decoded text each of its target-side ids holds, in part or whole."""
    return spans(tokenizer.pieces(ids), words(text, language), str)


def spans(pieces: Sequence[str], words: Sequence[str], letters: Callable[[str], str]) -> list[Span]:
    """The words of each piece: `["▁Two", "▁do", "gs"]` are `[0, 1), [1, 2), [1, 2)` of two words.

    A piece of spaces belongs to the word after it. `letters` gives a word in the spelling of the pieces, if that
    differs from its own.
    """
    counts = list(_counts(pieces))
    lengths = [len(word) for word in words]
    if sum(counts) != sum(lengths):
        lengths = [len(SEPARATOR.sub("", letters(word))) for word in words]
    owners = list(chain.from_iterable(repeat(number, length) for number, length in enumerate(lengths)))
    if not words:
        return []
    result, last = [], len(words) - 1
    for end, count in zip(accumulate(counts), counts, strict=True):
        held_words = (
            owners[end - count : end] or owners[end : end + 1] or [last]
        )  # beyond the end: letters that were added
        result.append(Span(held_words[0], held_words[-1] + 1))
    return result


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
