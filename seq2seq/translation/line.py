"""A line to translate, and what its translation must be like."""

import re
import unicodedata
from typing import NamedTuple

from seq2seq.data.tokenizer.canonical import target_text
from seq2seq.errors import DataError
from seq2seq.io.text import read_json
from seq2seq.languages import unspaced

LATIN = re.compile(
    "[0-9A-Z_a-z\u00c0-\u024f]"
)  # letters and digits that make words with spaces between them, in any text
KEYS = ("text", "prefix", "required", "banned")


class Line(NamedTuple):
    """A line with constraints on its translation: a prefix, required phrases, banned phrases.

    Phrases are text of the target language, as in a sentence.
    """

    text: str
    prefix: str = ""
    required: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()

    @property
    def constraints(self) -> bool:
        """Whether there are any constraints."""
        return bool(self.prefix or self.required or self.banned)

    def met_by(self, translation: str, language: str) -> bool:
        """Whether a translation meets the constraints; runs of spaces count as one, and phrases are whole words.

        A prefix that ends in a space ends a word, too. If `language` has no spaces between words, only letters of other
        scripts continue a word.
        """
        if not self.constraints:
            return True
        result = _plain(translation)
        return (
            _begins(result, self.prefix, language)
            and all(_has(result, _plain(phrase), language) for phrase in self.required)
            and not any(_has(result, _plain(phrase), language) for phrase in self.banned)
        )


def parsed(raw: str, where: str) -> Line:
    """A line from JSON: `{"text": "A dog.", "prefix": "Ein", "required": ["Hund"], "banned": []}`; `text` is mandatory.

    An empty input line is a line without text. Raises DataError that names `where`.
    """
    if not raw.strip():
        return Line("")
    try:
        result = read_json(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: expected a JSON object with the key text, got no JSON: {error}") from error
    if not isinstance(result, dict) or not isinstance(result.get("text"), str):
        raise DataError(f"{where}: expected a JSON object with the key text, got {raw[:60]!r}")
    if others := [key for key in result if key not in KEYS]:
        raise DataError(f"{where}: unknown key {others[0]!r}, allowed: {', '.join(KEYS)}")
    if not isinstance(result.get("prefix", ""), str):
        raise DataError(f"{where}: prefix: expected text, got {result['prefix']!r}")
    return Line(
        result["text"], result.get("prefix", ""), _phrases(result, "required", where), _phrases(result, "banned", where)
    )


def _phrases(content: dict[str, object], key: str, where: str) -> tuple[str, ...]:
    phrases = content.get(key, [])
    if not isinstance(phrases, list) or not all(isinstance(one, str) and one.strip() for one in phrases):
        raise DataError(f"{where}: {key}: expected a list of phrases, got {phrases!r}")
    return tuple(phrases)


def _begins(text: str, prefix: str, language: str) -> bool:
    """Whether a translation has this prefix; after a space a new word begins."""
    start = _plain(prefix)
    if prefix[-1:].isspace() and start and not unspaced(language):
        return f"{text} ".startswith(f"{start} ")
    return text.startswith(start)


def _has(text: str, phrase: str, language: str) -> bool:
    """Whether a phrase occurs as whole words: no adjacent letter continues its first or last word."""
    letter = _is_latin if unspaced(language) else _is_letter
    place = text.find(phrase)
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(phrase) :][:1]
        if not (letter(before) and letter(phrase[:1])) and not (letter(after) and letter(phrase[-1:])):
            return True
        place = text.find(phrase, place + 1)
    return False


def goes_on(text: str) -> bool:
    """Whether text that follows a word at once makes it longer."""
    return _is_letter(text[:1])


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_" or (bool(character) and unicodedata.category(character)[0] == "M")


def _is_latin(character: str) -> bool:
    return bool(LATIN.fullmatch(character))


def _plain(text: str) -> str:
    return " ".join(target_text(text).split())
