"""What became of a line: all there is to say about its translation, the most serious first."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from seq2seq.languages import unspaced
from seq2seq.translation.searcher import SegmentResult
from seq2seq.translation.translation import Status

COPIED_WORDS = 3  # fewer are a name, or a word of both languages
LONGEST_NAME = 5  # words
OTHERS = re.compile(r"[\W_]+")  # than letters and digits
COPIED_LETTERS = 8  # of a language without spaces between words


def line_statuses(
    results: Sequence[SegmentResult], source: str, text: str, languages: tuple[str, str], broken: bool = False
) -> tuple[Status, ...]:
    """All statuses of a line that was translated to `text` in one or several segments, the most serious first.

    `languages`: of the source and of the translation. `broken`: a sentence was split; lines translated sentence by
    sentence are normal. Empty for a line without problems.
    """
    statuses = {note for result in results for note in result.notes}
    if broken:
        statuses.add(Status.SPLIT)
    if not text.strip():
        statuses.add(Status.EMPTY)
    elif languages[0] != languages[1] and copied(source, text, languages[1]):
        statuses.add(Status.COPIED)
    return most_serious(statuses)


def most_serious(statuses: Iterable[Status]) -> tuple[Status, ...]:
    """In the order of Status, the last first."""
    return tuple(sorted(statuses, key=list(Status).index, reverse=True))


def copied(source: str, text: str, language: str) -> bool:
    """Whether a translation is its source again, apart from case, spaces and punctuation.

    Not for less than three words with letters (eight letters in languages without spaces), and not for names (up to
    five capitalised words): these are often equal in two languages.
    """
    if _letters(source) != _letters(text):
        return False
    if unspaced(language):
        return sum(map(str.isalpha, text)) >= COPIED_LETTERS
    words = [word for word in source.split() if any(map(str.isalpha, word))]
    named = len(words) <= LONGEST_NAME and all(any(map(str.isupper, word)) for word in words)
    return len(words) >= COPIED_WORDS and not named


def _letters(text: str) -> str:
    """Letters and digits, in small letters."""
    return OTHERS.sub("", unicodedata.normalize("NFKC", text).casefold())
