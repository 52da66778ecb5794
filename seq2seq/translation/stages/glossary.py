"""How terms are to be translated: which phrases a line's translation must have."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from seq2seq.data.tokenizer.canonical import source_text
from seq2seq.errors import ConfigError, DataError
from seq2seq.io.text import Lines
from seq2seq.languages import unspaced

PART = re.compile(r"\w+|[^\w\s]")  # what may not be cut: a word, or one punctuation mark


class Glossary:
    """Terms of the source language, each with the phrase of the target language that must translate it.

    A term matches whole words and punctuation, in its own case or else in any case, with any form of quotes and dashes.
    Of several terms at one position the longest matches, and matches do not overlap. In languages without spaces a term
    also matches inside other words.
    """

    def __init__(self, terms: Mapping[str, str]) -> None:
        for term, phrase in terms.items():
            if not term.strip() or not phrase.strip():
                raise ConfigError(f"glossary: expected a term and a phrase, got {term!r}: {phrase!r}")
        self.terms = dict(terms)
        self._words = _Index(self.terms, _parts)
        self._characters = _Index(self.terms, _characters)

    def required(self, text: str, language: str) -> list[str]:
        """The phrases for the terms of a line, each once, in the order of the terms."""
        return (self._characters if unspaced(language) else self._words).phrases(text)

    @classmethod
    def load(cls, path: Path) -> "Glossary":
        """From lines `term TAB phrase`; blank ones and those that begin with `#` are passed over.

        DataError with file and line for anything else, and for a term with two phrases.
        """
        return cls(pairs(path, "term", "phrase"))


def pairs(path: Path, left: str, right: str) -> dict[str, str]:
    """A file of lines `left TAB right` as a mapping. DataError with file and line."""
    result: dict[str, str] = {}
    for number, line in enumerate(Lines(path), 1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = [" ".join(column.split()) for column in line.split("\t")]
        if len(columns) != 2 or not all(columns):
            raise DataError(f"{path}:{number}: expected `{left} TAB {right}`, got {line[:60]!r}")
        if result.setdefault(*columns) != columns[1]:
            raise DataError(
                f"{path}:{number}: {columns[0]!r} is {result[columns[0]]!r} above and {columns[1]!r} here; keep one"
            )
    return result


class _Index:
    """Terms by their parts."""

    def __init__(self, terms: Mapping[str, str], cut: Callable[[str], list[str]]) -> None:
        self.cut = cut
        self.exact = {tuple(cut(term)): phrase for term, phrase in terms.items()}
        self.folded: dict[tuple[str, ...], str] = {}
        for parts, phrase in self.exact.items():
            self.folded.setdefault(_folded(parts), phrase)
        self.lengths: dict[str, list[int]] = {}  # of the terms that begin with a part, the longest first
        for parts in filter(None, self.folded):
            lengths = self.lengths.setdefault(parts[0], [])
            if len(parts) not in lengths:
                lengths.append(len(parts))
                lengths.sort(reverse=True)

    def phrases(self, text: str) -> list[str]:
        parts = tuple(self.cut(text))
        folded = _folded(parts)
        result: dict[str, None] = {}
        place = 0
        while place < len(parts):
            length, phrase = self._at(parts, folded, place)
            if phrase is not None:
                result[phrase] = None
            place += length
        return list(result)

    def _at(self, parts: tuple[str, ...], folded: tuple[str, ...], place: int) -> tuple[int, str | None]:
        """How many parts the term at a place has, and its phrase; one and nothing where none begins."""
        for length in self.lengths.get(folded[place], []):
            here = slice(place, place + length)
            phrase = self.exact.get(parts[here], self.folded.get(folded[here]))
            if phrase is not None:
                return length, phrase
        return 1, None


def _folded(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.casefold() for part in parts)


def _parts(text: str) -> list[str]:
    return PART.findall(source_text(text))


def _characters(text: str) -> list[str]:
    return [character for character in source_text(text) if not character.isspace()]
