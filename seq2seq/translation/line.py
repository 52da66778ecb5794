"""A line to translate, and what its translation must be like."""

import re
from typing import NamedTuple

from seq2seq.errors import DataError
from seq2seq.json_text import read_json
from seq2seq.languages import unspaced

LATIN = "[0-9A-Z_a-z\u00c0-\u024f]"  # letters and digits that make words with spaces between them, in any text
KEYS = ("text", "prefix", "required", "banned")


class Line(NamedTuple):
    """A line with what is wanted of its translation: how it begins, phrases that it has, phrases that it has not.

    Phrases are text of the target language, as it stands in a sentence.
    """

    text: str
    prefix: str = ""
    required: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()

    @property
    def wishes(self) -> bool:
        """Whether anything is wanted."""
        return bool(self.prefix or self.required or self.banned)

    def met_by(self, translation: str, language: str) -> bool:
        """Whether a translation is as wanted; runs of spaces count as one, and a banned phrase is whole words.

        Where `language` puts no spaces between words, only letters of scripts that do make a word longer.
        """
        if not self.wishes:
            return True
        found = _plain(translation)
        return (
            found.startswith(_plain(self.prefix))
            and all(_plain(phrase) in found for phrase in self.required)
            and not any(_alone(_plain(phrase), language).search(found) for phrase in self.banned)
        )


def parsed(raw: str, where: str) -> Line:
    """A line from JSON: `{"text": "A dog.", "prefix": "Ein", "required": ["Hund"], "banned": []}`; text alone must be.

    An empty line is one without text. DataError with what is wrong, at `where`.
    """
    if not raw.strip():
        return Line("")
    try:
        found = read_json(raw)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: expected a JSON object with the key text, found no JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise DataError(f"{where}: expected a JSON object with the key text, found {raw[:60]!r}")
    if others := [key for key in found if key not in KEYS]:
        raise DataError(f"{where}: unknown key {others[0]!r}, allowed: {', '.join(KEYS)}")
    if not isinstance(found.get("prefix", ""), str):
        raise DataError(f"{where}: prefix: expected text, found {found['prefix']!r}")
    return Line(
        found["text"], found.get("prefix", ""), _phrases(found, "required", where), _phrases(found, "banned", where)
    )


def _phrases(found: dict[str, object], key: str, where: str) -> tuple[str, ...]:
    phrases = found.get(key, [])
    if not isinstance(phrases, list) or not all(isinstance(one, str) and one.strip() for one in phrases):
        raise DataError(f"{where}: {key}: expected a list of phrases, found {phrases!r}")
    return tuple(phrases)


def _alone(phrase: str, language: str) -> re.Pattern[str]:
    """Finds a phrase that is no part of a longer word."""
    letter = LATIN if unspaced(language) else r"\w"
    before = rf"(?<!{letter})" if re.match(letter, phrase) or not unspaced(language) else ""
    after = rf"(?!{letter})" if re.match(letter, phrase[-1:]) or not unspaced(language) else ""
    return re.compile(before + re.escape(phrase) + after)


def _plain(text: str) -> str:
    return " ".join(text.split())
