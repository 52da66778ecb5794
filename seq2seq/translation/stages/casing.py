"""Lines in CAPITALS and in Title Case are read in the case of the training text; translations get capitals again.

    TWO DOGS IN BERLIN  ->  Two dogs in Berlin  ->  Zwei Hunde in Berlin  ->  ZWEI HUNDE IN BERLIN

A model that has seen few such lines reads their words letter by letter, and repeats itself. Each word takes the form
that the tokenizer splits into the most probable pieces: names and German nouns keep a capital, `USA` keeps three. A
line is unchanged if that saves few pieces. If the training text has only small letters, capitals are read as these.
"""

import re
from collections.abc import Callable, Sequence, Set
from functools import lru_cache, partial
from typing import NamedTuple

from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.languages import language

WORD = re.compile(r"[^\W\d_][\w\u0300-\u036f]*(?:['’][^\W\d_]+)*")
SENTENCE = re.compile(r"(?:[!?…]|(?<=\w\w\w)\.)\W*\s\W*$")  # what precedes a sentence's first word
FEWEST_LETTERS = 6  # of a line in capitals, in two words or more: fewer may be a name, initials
FEWEST_WORDS = 4  # of a line in title case
GAIN = 0.85  # of a line's pieces that are left, at most, for its case to be changed
UNREAD = 20.0  # nats that a piece without a meaning costs
PIECE = 5.0  # nats that a piece costs where pieces have no probabilities
MARGIN = 3.0  # nats that a word with a capital must be likelier: every word has some that begin a sentence
BEGINNING = (
    8.0  # nats that it may be less likely where it begins a sentence; more where training text has no capital there
)
RARE = 12.0  # nats that a possible name must gain: below this it is unchanged in title case
DOTLESS = frozenset({"az", "crh", "kaa", "tr", "tt"})  # languages whose capitals of i and ı are İ and I
UNICASE = frozenset({"ka"})  # Georgian: its capitals are for headlines only


class Recased(NamedTuple):
    """A line as it is read, the positions of copied parts in it, and whether its translation gets capitals."""

    text: str
    runs: list[tuple[int, int]]
    capitals: bool


class Casing:
    """Of one direction. cost: of a word, in nats; characters: what the tokenizer has pieces for.

    begins: whether training's lines begin with a capital.
    """

    def __init__(
        self, cost: Callable[[str], float], characters: Set[str], source: str, target: str, begins: bool
    ) -> None:
        self.cost = lru_cache(10_000)(cost)
        self.source, self.target = language(source).language, language(target).language
        self.begins = begins
        self.has_capitals = any(map(str.isupper, characters))

    def read(self, text: str, runs: Sequence[tuple[int, int]]) -> Recased:
        """A line but for these runs, which come one after the other, in the case that training text has."""
        own, words = _between(text, runs), _words(text, runs)
        capitals = _in_capitals(words)
        if not self.has_capitals:
            if any(word != self.small(word) for word in words):
                return _joined(text, runs, own, self.small, capitals)
            return Recased(text, list(runs), False)
        if self.begins and words and all(word == self.small(word) for word in words):
            return self._recased(text, runs, own, lambda word, begins: self._capital(word) if begins else word, False)
        if not capitals and not _in_title_case(words):
            return Recased(text, list(runs), False)
        recased = self._recased(text, runs, own, partial(self._form, capitals=capitals), capitals)
        gained = sum(map(self.cost, _words(recased.text, recased.runs))) < GAIN * sum(map(self.cost, words))
        return recased if gained else Recased(text, list(runs), False)

    def shown(self, text: str, capitals: bool) -> str:
        """A translation in the line's case."""
        if not capitals or self.target in UNICASE:
            return text
        return (text.replace("i", "İ") if self.target in DOTLESS else text).upper()

    def small(self, text: str) -> str:
        """In small letters; a final sigma is one."""
        return (text.replace("İ", "i").replace("I", "ı") if self.source in DOTLESS else text).lower()

    def _recased(
        self,
        text: str,
        runs: Sequence[tuple[int, int]],
        own: Sequence[tuple[int, int]],
        form: Callable[[str, bool], str],
        capitals: bool,
    ) -> Recased:
        """With a form for each word, given whether it begins a sentence; what is copied may begin the first one."""
        first = not (runs and not text[: runs[0][0]].strip())

        def word(match: re.Match[str]) -> str:
            nonlocal first
            begins = first or bool(SENTENCE.search(match.string, max(0, match.start() - 20), match.start()))
            first = False
            return form(match[0], begins)

        return _joined(text, runs, own, lambda part: WORD.sub(word, part), capitals)

    def _form(self, word: str, begins: bool, *, capitals: bool) -> str:
        """What is read for a word of a line in capitals or in title case; `begins`: a sentence."""
        if word.upper() == word.lower():
            return word
        small = min(self._small_forms(word), key=self.cost)
        capital = self._capital(small)
        plain = capital if self.cost(capital) + (-BEGINNING if begins else MARGIN) < self.cost(small) else small
        if not capitals:  # a title's capital may be a name's
            is_name = self.cost(small) > RARE and self.cost(word) <= self.cost(small) + 1
            return word if is_name and not begins else plain
        return word if self.cost(word) < self.cost(plain) - MARGIN else plain

    def _small_forms(self, word: str) -> list[str]:
        small = self.small(word)
        return (
            [small, small.replace("ss", "ß")] if self.source == "de" and "ss" in small and word.isupper() else [small]
        )

    def _capital(self, small: str) -> str:
        """A word with a capital: a digraph such as ǆ has its own title form, Georgian letters have none."""
        if self.source in DOTLESS and small[0] == "i":
            return "İ" + small[1:]
        return "IJ" + small[2:] if self.source == "nl" and small.startswith("ij") else small[0].title() + small[1:]


def word_cost(tokenizer: Tokenizer, source: str) -> Callable[[str], float]:
    """What a source word costs, by the pieces that it is cut into."""
    scores = tokenizer.scores("source") if tokenizer.algorithm("source") == "unigram" else None

    def cost(word: str) -> float:
        [ids] = tokenizer.encode([word], source, "source")
        return sum(
            UNREAD if one in tokenizer.unread else PIECE if scores is None else -float(scores[one]) for one in ids
        )

    return cost


def _in_capitals(words: Sequence[str]) -> bool:
    """Whether words are all of capitals, and more than a name or initials."""
    long = [word for word in words if len(word) > 1]
    return len(long) > 1 and sum(map(len, long)) >= FEWEST_LETTERS and all(word == word.upper() for word in words)


def _in_title_case(words: Sequence[str]) -> bool:
    """Whether all words but little ones begin with a capital."""
    long = [word for word in words if len(word) > 3]
    titled = [word for word in words if word[0].title() == word[0] and word[0] != word[0].lower()]
    return len(titled) >= FEWEST_WORDS and all(word in titled for word in long) and any(map(_has_small, words))


def _has_small(word: str) -> bool:
    return word != word.upper()


def _between(text: str, runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The text before, between and after the runs."""
    begins, ends = [0, *(end for _, end in runs)], [*(begin for begin, _ in runs), len(text)]
    return list(zip(begins, ends, strict=True))


def _joined(
    text: str,
    runs: Sequence[tuple[int, int]],
    own: Sequence[tuple[int, int]],
    change: Callable[[str], str],
    capitals: bool,
) -> Recased:
    """The text with changed parts, and the new positions of the runs."""
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    size = 0
    for number, (begin, end) in enumerate(own):
        parts.append(change(text[begin:end]))
        size += len(parts[-1])
        if number < len(runs):
            parts.append(text[slice(*runs[number])])
            places.append((size, size + len(parts[-1])))
            size += len(parts[-1])
    return Recased("".join(parts), places, capitals)


def _words(text: str, runs: Sequence[tuple[int, int]]) -> list[str]:
    """The words outside of the runs, but for those without case."""
    every = [word for begin, end in _between(text, runs) for word in WORD.findall(text, begin, end)]
    return [word for word in every if word.upper() != word.lower()]
