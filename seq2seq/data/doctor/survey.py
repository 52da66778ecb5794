"""Statistics of one split of a corpus, in one pass and bounded memory."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations

from seq2seq.data.cleaning.hash_set import HashSet
from seq2seq.data.corpus.base import Record
from seq2seq.data.tokenizer.canonical import HIDDEN

PLACES = 3  # that are named of each kind
SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
ENTITY = re.compile("&(?:[A-Za-z][A-Za-z0-9]{1,7}|#[0-9]{2,6}|#[xX][0-9A-Fa-f]{2,5});")
KINDS: Mapping[str, Callable[[str], object]] = {
    "decomposed letters (not NFC)": lambda text: not unicodedata.is_normalized("NFC", text),
    "no-break or other odd spaces": SPACES.search,
    "soft hyphens or other hidden characters": lambda text: HIDDEN.search(text) or "\u200b" in text,
    "HTML entities": ENTITY.search,
}
# What other programs take for line ends or drop, by code point; here it stays inside its line.
ODD = {
    "\x00": "NUL",
    "\x0b": "VT",
    "\x0c": "FF",
    "\r": "CR inside a line",
    "\x1c": "FS",
    "\x1d": "GS",
    "\x1e": "RS",
    "\x85": "U+0085 (next line)",
    "\u2028": "U+2028 (line separator)",
    "\u2029": "U+2029 (paragraph separator)",
    "\ufeff": "U+FEFF (byte order mark)",
    "\n": "LF inside a text",
}
FIRST = 500  # lines of a language that are kept
RATIO_STEPS = 8  # steps of the ratio histogram for each factor of two


class InvisibleVariants:
    """The number of lines of each kind, and the origins of the first ones."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self.places: dict[str, list[str]] = {}

    def add(self, text: str, origin: str) -> None:
        """Looks at one line."""
        if text.isascii() and "&" not in text:
            return
        for kind, has in KINDS.items():
            if has(text):
                self.lines[kind] += 1
                if len(places := self.places.setdefault(kind, [])) < PLACES:
                    places.append(origin)

    def described(self, lines: int) -> Iterator[tuple[str, bool]]:
        """Of each kind that there is: how many of the lines have it and where, and whether most lines have not."""
        for kind in KINDS:
            if count := self.lines[kind]:
                places = ", ".join(self.places[kind])
                yield f"{kind} in {count:,} of {lines:,} lines (first {places})", 2 * count < lines


class LanguageSurvey:
    """One language of a split: lines, blank lines, characters by kind, lengths in characters, and the longest line."""

    def __init__(self) -> None:
        self.lines = 0
        self.blank = 0
        self.bytes = 0
        self.characters: Counter[str] = Counter()
        self.lengths: Counter[int] = Counter()
        self.longest = ""
        self.first: list[str] = []  # lines to judge by
        self.oddities = InvisibleVariants()

    def add(self, text: str, origin: str) -> None:
        """Counts the line at `origin`."""
        self.oddities.add(text, origin)
        self.lines += 1
        self.blank += not text.strip()
        self.bytes += len(text.encode())
        self.characters.update(text)
        self.lengths[len(text)] += 1
        if len(text) > len(self.longest):
            self.longest = text
        if len(self.first) < FIRST:
            self.first.append(text)

    @property
    def invisible(self) -> dict[str, int]:
        """The odd separators found, by name."""
        return {name: self.characters[one] for one, name in ODD.items() if self.characters[one]}

    def length(self, share: float) -> int:
        """The length in characters that `share` of the lines do not exceed; 0.5 gives the median."""
        return quantile(self.lengths, share)

    def unknown(self, known: Counter[str]) -> float:
        """The share of the characters, white space apart, that never occur in `known`."""
        visible = {one: count for one, count in self.characters.items() if not one.isspace()}
        whole = sum(visible.values())
        return sum(count for one, count in visible.items() if one not in known) / whole if whole else 0.0


class TextMemory:
    """What is remembered of the training text, to find it again in the other splits: hashes, and the characters."""

    def __init__(self, remembered: int) -> None:
        self.records = HashSet(remembered)
        self.lines = HashSet(remembered)
        self.characters: dict[str, Counter[str]] = {}


class SplitSurvey:
    """One split: its languages, its duplicates, what it shares with the training text, and its length ratios.

    A split for training adds to the memory, another one is looked up in it.
    """

    def __init__(self, memory: TextMemory, remembered: int, training: bool) -> None:
        self.records = 0
        self.duplicates = 0
        self.leaked = 0  # records whose texts are all in one record of train
        self.leaked_lines: Counter[str] = Counter()  # lines of a language that are anywhere in train
        self.languages: dict[str, LanguageSurvey] = {}
        self.ratios: dict[tuple[str, str], Counter[int]] = {}
        self._memory, self._training = memory, training
        self._seen = memory.records if training else HashSet(remembered)

    def add(self, record: Record) -> None:
        """Counts one record."""
        self.records += 1
        whole = _joined(record)
        self.duplicates += not self._seen.add(whole)
        if not self._training:
            self.leaked += whole in self._memory.records
        for language, text in record.texts.items():
            self.languages.setdefault(language, LanguageSurvey()).add(text, record.origin)
            if self._training:
                self._memory.lines.add(f"{language}\n{text}")
            elif f"{language}\n{text}" in self._memory.lines:
                self.leaked_lines[language] += 1
        for (one, first), (other, second) in combinations(record.texts.items(), 2):
            ratio = math.log2((len(first.encode()) + 1) / (len(second.encode()) + 1))
            self.ratios.setdefault((one, other), Counter())[round(ratio * RATIO_STEPS)] += 1

    def ratio_outliers(self, languages: tuple[str, str], factor: float) -> tuple[float, int]:
        """The median ratio of two languages' bytes, and how many records are more than `factor` away from it."""
        steps = self.ratios[languages]
        median = quantile(steps, 0.5)
        far = math.log2(factor) * RATIO_STEPS
        return 2 ** (median / RATIO_STEPS), sum(count for step, count in steps.items() if abs(step - median) > far)


def survey(records: Iterable[Record], memory: TextMemory, remembered: int, training: bool) -> SplitSurvey:
    """Counts a split's records."""
    result = SplitSurvey(memory, remembered, training)
    for record in records:
        result.add(record)
    if training:
        for language, one in result.languages.items():
            memory.characters.setdefault(language, Counter()).update(one.characters)
    return result


def quantile(histogram: Counter[int], share: float) -> int:
    """The smallest value that `share` of the counted things do not exceed."""
    rank = share * sum(histogram.values())
    passed = 0
    for value in sorted(histogram):
        passed += histogram[value]
        if passed >= rank:
            return value
    return 0


def scripts(characters: Counter[str]) -> list[tuple[str, float]]:
    """The scripts of the letters with their shares, the most frequent first."""
    result: Counter[str] = Counter()
    for character, count in characters.items():
        if character.isalpha():
            result[script(character)] += count
    whole = sum(result.values())
    return [(name, count / whole) for name, count in result.most_common()]


def script(character: str) -> str:
    """A letter's script, from its Unicode name: `LATIN`, `CYRILLIC`, `HAN`, `HIRAGANA`."""
    first = unicodedata.name(character, "UNNAMED").split()[0]
    return "HAN" if first == "CJK" else first


def _joined(record: Record) -> str:
    return "\n".join(f"{language} {text}" for language, text in sorted(record.texts.items()))
