"""Text that is copied: addresses, placeholders, tags, very long runs of letters, often lines without letters.

A small model invents translations for them, and for their neighbours. They are removed from a line and restored
afterwards, or are the translation of the whole line.
"""

import re
from collections.abc import Iterator
from typing import Literal

from seq2seq.data.dataset.store import Store, balanced_sample
from seq2seq.errors import ConfigError
from seq2seq.languages import unspaced
from seq2seq.translation.stages.inline_tags import Tag, placeholders, tags, without

Letterless = Literal["learnt", "copy", "translate"]
PAIRS = frozenset({"()", "[]", "{}", "<>", '""', "''", "“”", "„“", "‘’", "«»", "»«"})
ROWS = 100_000  # of the training text that are looked at, of each language on each side, at most
TOLD = 10  # lines that must differ from their translations: fewer teach no model anything


def _address(letter: str, word: str) -> re.Pattern[str]:
    """Addresses, which end before the punctuation of their sentence.

    Each pattern starts only after a character that is not one of its letters: long text without addresses costs no
    more.
    """
    rest = rf"(?:(?![\"<>`]){letter})*(?![\"<>`.,;:!?…)\]}}'”’»*]){letter}"
    return re.compile(
        rf"""
          (?<![a-z0-9+])[a-z][a-z0-9+]{{1,15}}://{rest}                         # https://example.com/a?b=c
        | (?<![a-z0-9_.+%-])(?:mailto:)?[a-z0-9_.+%-]+@[{word}-]+(?:\.[{word}-]+)+  # ann@example.com
        | (?<![a-z0-9.-])www\.{rest}
        | (?<![a-z0-9.-])(?:[a-z0-9-]+\.)+[a-z]{{2,}}/{rest}                      # example.com/a
        | (?<![a-z0-9.-])(?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|info)(?![{word}])  # example.com
        | (?<![{word}/.~])(?:~|\.\.?)?(?:/[{word}.~+@%-]*[{word}~+@%-]){{2,}}/?    # /usr/share/a.txt
        | (?<![a-z0-9])[a-z]:\\{rest}                                            # C:\a\b.txt
        | \\\\[{word}.-]+\\{rest}                                                # \\server\folder
        """,
        re.VERBOSE | re.IGNORECASE,
    )


SPACED, DENSE = _address(r"\S", r"\w"), _address("[!-~]", "a-z0-9_")


class Passthrough:
    """Finds text that is copied, whatever the model.

    addresses: URLs, e-mail addresses, file paths. max_word_length: longer runs of letters, digits and `+ / = _ -` are
    not words (in languages with spaces between words; Latin letters only in others); None: no limit. non_alphabetic:
    what happens to lines like `12:30` or `???`; `learnt` copies them unless the training text translates such lines.
    markup: tags, entities and placeholders. Raises ConfigError.
    """

    def __init__(self, addresses: bool, max_word_length: int | None, non_alphabetic: Letterless, markup: bool) -> None:
        if max_word_length is not None and max_word_length < 1:
            raise ConfigError(
                f"translator.passthrough.max_word_length: expected a positive int or null, got {max_word_length}"
            )
        self.addresses = addresses
        self.non_alphabetic = non_alphabetic
        self.markup = markup
        longer = "" if max_word_length is None else f"{{{max_word_length + 1},}}"
        self.spaced = re.compile(rf"[\w+/=-]{longer}") if longer else None
        self.unspaced = re.compile(rf"[A-Za-z0-9_+/=-]{longer}") if longer else None

    def runs(self, line: str, language: str) -> list[tuple[int, int]]:
        """Where it begins and ends in a line, brackets and quotes around it included; places may overlap."""
        return [_with_pair(line, begin, end) for begin, end in self._places(line, language)]

    def tags(self, line: str, language: str) -> list[Tag]:
        """The tags of a line, but for those inside of something else that is copied."""
        if not self.markup or not (result := tags(line)):
            return []
        runs = self.runs(line, language)
        inside = [any(begin <= one.begin and one.end <= end for begin, end in runs) for one in result]
        return without(result, {number for number, is_inside in enumerate(inside) if is_inside})

    def copies(self, line: str, translated: bool) -> bool:
        """Whether a line without letters is copied; `translated`: the training text translates such lines."""
        if self.non_alphabetic == "translate" or (self.non_alphabetic == "learnt" and translated):
            return False
        return bool(line.strip()) and not any(map(str.isalpha, line))

    def _places(self, line: str, language: str) -> Iterator[tuple[int, int]]:
        dense = unspaced(language)
        if self.addresses and not {"/", "@", ".", "\\"}.isdisjoint(line):
            yield from (match.span() for match in (DENSE if dense else SPACED).finditer(line))
        if self.markup:
            yield from placeholders(line, language)
        if words := self.unspaced if dense else self.spaced:
            yield from (match.span() for match in words.finditer(line))


def _with_pair(line: str, begin: int, end: int) -> tuple[int, int]:
    """With a bracket that closes one inside, and those or the quotes right around it: nothing would be left in them."""
    if line[end : end + 1] == ")" and line.count("(", begin, end) > line.count(")", begin, end):
        end += 1
    around = line[max(0, begin - 1) : begin] + line[end : end + 1]
    return (begin - 1, end + 1) if around in PAIRS else (begin, end)


def translates_letterless(store: Store) -> list[tuple[str, str]]:
    """The directions whose training text translates lines without letters more often than it copies them.

    In the newspapers of the corpus mafand 107 of 109 such lines are copied; in KFTT, whose Japanese writes 1945年 for
    1945, 11 of 554; the numbers of recipes/quickstart all become words.
    """
    rows = balanced_sample(store, ROWS)
    sources, targets = store.texts(rows)
    result = [row for row, text in enumerate(sources) if text.strip() and not any(map(str.isalpha, text))]
    numbers = store.language_numbers(rows)
    balance: dict[tuple[str, str], list[int]] = {}
    for row in result:
        direction = store.languages[numbers[0][row]], store.languages[numbers[1][row]]
        balance.setdefault(direction, [0, 0])[sources[row].strip() == targets[row].strip()] += 1
    return sorted(direction for direction, (differ, same) in balance.items() if differ > same and differ >= TOLD)
