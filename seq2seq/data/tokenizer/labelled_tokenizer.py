"""Tokenizers of labelled text: pieces on the text's side, labels or numbers on the other.

                    source side           target side
ClassTokenizer      a line of text        its label
TagTokenizer        tokens, by spaces     as many labels, by spaces
LabelTokenizer      a label               a line of text
NumberTokenizer     numbers, by spaces    a line of text
"""

import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from seq2seq import special_tokens as symbols
from seq2seq.data.tokenizer.labels import MOST, Labels
from seq2seq.data.tokenizer.tokenizer import Algorithm, Side, Tokenizer
from seq2seq.errors import ConfigError, DataError

MOST_PER_LINE = 0.5  # different labels; with more nothing can be learnt

Form = TypeVar("Form", bound="LabelledTokenizer")
Named = TypeVar("Named", bound="NamedTokenizer")
Counted = TypeVar("Counted", bound="NumberTokenizer")


class LabelledTokenizer(Tokenizer):
    """A tokenizer of text with `content`, the meaning of the other side.

    `language` is the other side's name in the corpus; its rows begin with BOS, those of text with a tag.
    """

    text_first: ClassVar[bool]  # whether the text is the source

    def __init__(self, text: Tokenizer, language: str, content: bytes) -> None:
        super().__init__(text.models, text.threads)
        self.text = text
        self.models = [*text.models, content]  # its part of cache keys
        self.joint = False
        self.languages = [*text.languages, language]
        self._tags = {**self._tags, language: symbols.BOS}

    def algorithm(self, side: Side) -> Algorithm:
        """ConfigError for the side that has no pieces."""
        if (side == "source") != self.text_first:
            raise ConfigError(f"loader.sampled_sides: the {side} has no segmentations to sample, only the text has")
        return super().algorithm(side)

    @classmethod
    @abstractmethod
    def gathered(cls: type[Form], text: Callable[[], Tokenizer], language: str, lines: Iterable[str]) -> Form:
        """The tokenizer for these lines of the other side, the training text's. DataError where they make no sense.

        `text` makes the tokenizer of the text, which takes longer than to look at the labels.
        """

    @property
    @abstractmethod
    def facts(self) -> dict[str, int | str]:
        """What a network must be built for: the keys that its node lacks."""

    @property
    @abstractmethod
    def expected(self) -> str:
        """What a line of the other side may be, for messages."""

    @abstractmethod
    def check(self, source: str, target: str) -> None:
        """Raises ValueError, with what was found and expected, for a pair of lines that cannot be encoded."""

    def save(self, folder: str | Path) -> None:
        """Writes the tokenizer of the text into a folder."""
        self.text.save(folder)


class NamedTokenizer(LabelledTokenizer):
    """One whose other side has labels, saved beside the tokenizer as `labels.json`."""

    def __init__(self, text: Tokenizer, language: str, labels: Labels) -> None:
        super().__init__(text, language, f"{type(self).__name__} ".encode() + labels.encoded())
        self.labels = labels

    @classmethod
    def gathered(cls: type[Named], text: Callable[[], Tokenizer], language: str, lines: Iterable[str]) -> Named:
        names: set[str] = set()
        count = 0
        for line in lines:
            count += 1
            names.update(cls.named(line))
            if len(names) > MOST:  # Labels raises the error
                break
        labels = Labels(sorted(names))
        if cls.text_first and len(labels) > max(MOST_PER_LINE * count, 100):
            raise DataError(
                f"corpus.train: {len(labels):,} different labels on {count:,} lines ({labels.listed()}): "
                "is corpus.directions the wrong way round?"
            )
        return cls(text(), language, labels)

    @property
    def expected(self) -> str:
        return f"the training text has the labels {self.labels.listed()}"

    @staticmethod
    def named(line: str) -> list[str]:
        """The labels on a line: all of it, outer white space apart; none on a blank one."""
        return [name] if (name := line.strip()) else []

    def check(self, source: str, target: str) -> None:
        named = self.named(target if self.text_first else source)
        self.check_count(source, len(named))
        for name in named:
            if name not in self.labels:
                raise ValueError(f"unknown label {name!r}: {self.expected}")

    def check_count(self, source: str, count: int) -> None:
        """Whether a source may have this many labels."""
        if count != 1:
            raise ValueError("expected a label, got a blank")

    def save(self, folder: str | Path) -> None:
        """Writes the tokenizer of the text and the labels into a folder."""
        super().save(folder)
        self.labels.save(Path(folder))


class ClassTokenizer(NamedTokenizer):
    """Lines of text, each with one label."""

    text_first = True

    @property
    def facts(self) -> dict[str, int | str]:
        return {"vocabulary": self.text.sizes[0], "labels": len(self.labels)}

    @property
    def sizes(self) -> tuple[int, int]:
        """Pieces, and labels."""
        return self.text.sizes[0], len(self.labels)

    def encode(self, lines: Sequence[str], language: str, side: Side) -> list[list[int]]:
        if side == "source":
            return self.text.encode(lines, self.text.languages[0], side)
        return [[self.labels.id(name) for name in self.named(line)] for line in lines]


class TagTokenizer(ClassTokenizer):
    """Lines of tokens with one label each; tokens and labels are separated by spaces (U+0020).

    Every token is tokenised separately, so that no piece spans two; the id of its first piece is raised by `raised`,
    the size of the vocabulary. A token without a piece (white space to the tokenizer) is one UNK.
    """

    def __init__(self, text: Tokenizer, language: str, labels: Labels) -> None:
        super().__init__(text, language, labels)
        self.raised = text.sizes[0]

    @staticmethod
    def named(line: str) -> list[str]:
        """The items of a line."""
        return items(line)

    def check_count(self, source: str, count: int) -> None:
        """As many as tokens."""
        if (tokens := len(items(source))) != count:
            raise ValueError(
                f"expected a label for each token, separated by spaces, got {tokens} tokens and {count} labels"
            )

    @property
    def sizes(self) -> tuple[int, int]:
        """Ids of pieces, first ones and others; and labels."""
        return 2 * self.raised, len(self.labels)

    def encode(self, lines: Sequence[str], language: str, side: Side) -> list[list[int]]:
        if side == "target":
            return super().encode(lines, language, side)
        split = [items(line) for line in lines]
        distinct = list(dict.fromkeys(itertools.chain.from_iterable(split)))
        encoded = [ids or [symbols.UNK] for ids in self.text.encode(distinct, self.text.languages[0], side)]
        flagged = {token: [ids[0] + self.raised, *ids[1:]] for token, ids in zip(distinct, encoded, strict=True)}
        return [list(itertools.chain.from_iterable(flagged[token] for token in tokens)) for tokens in split]


class LabelTokenizer(NamedTokenizer):
    """Labels, each with a line of text."""

    text_first = False

    @property
    def facts(self) -> dict[str, int | str]:
        return {"condition": "label", "conditions": len(self.labels), "vocabulary": self.text.sizes[1]}

    @property
    def sizes(self) -> tuple[int, int]:
        """Labels, and pieces."""
        return len(self.labels), self.text.sizes[1]

    def encode(self, lines: Sequence[str], language: str, side: Side) -> list[list[int]]:
        if side == "target":
            return self.text.encode(lines, self.text.languages[0], side)
        return [[self.labels.id(name) for name in self.named(line)] for line in lines]


class NumberTokenizer(LabelledTokenizer):
    """Vectors of `count` numbers, each with a line of text. An id is the 32 bits of a number."""

    text_first = False

    def __init__(self, text: Tokenizer, language: str, count: int) -> None:
        super().__init__(text, language, f"{count} numbers".encode())
        self.count = count

    @classmethod
    def gathered(cls: type[Counted], text: Callable[[], Tokenizer], language: str, lines: Iterable[str]) -> Counted:
        """The first line determines the number of numbers."""
        first = next((line for line in lines if line.strip()), "")
        if not first:
            raise DataError(f"corpus.train: no numbers in {language}; check the splits and corpus.directions")
        return cls(text(), language, len(items(first)))

    @property
    def expected(self) -> str:
        return f"expected {self.count} numbers, separated by spaces"

    def check(self, source: str, target: str) -> None:
        numbers(source, self.count)

    @property
    def facts(self) -> dict[str, int | str]:
        return {"condition": "numbers", "conditions": self.count, "vocabulary": self.text.sizes[1]}

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers, and pieces."""
        return 1 << 32, self.text.sizes[1]

    def encode(self, lines: Sequence[str], language: str, side: Side) -> list[list[int]]:
        if side == "target":
            return self.text.encode(lines, self.text.languages[0], side)
        return [numbers(line, self.count) for line in lines]


def items(line: str) -> list[str]:
    """The tokens, labels or numbers of a line: text between spaces (U+0020; a run of them is one)."""
    return [item for item in line.split(" ") if item]


def numbers(line: str, count: int) -> list[int]:
    """The numbers of a line, each as the int that its fp32 bits spell. ValueError unless `count` finite ones."""
    result = items(line)
    if len(result) != count:
        raise ValueError(f"expected {count} numbers separated by spaces, got {len(result)}")
    try:
        values = np.array([float(one) for one in result], dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"expected {count} numbers by spaces, {error}") from None
    if not (np.abs(values) <= np.finfo(np.float32).max).all():  # nor NaN
        raise ValueError(f"expected {count} finite numbers that fp32 can hold, got {line!r}")
    bits: list[int] = values.astype(np.float32).view(np.int32).tolist()
    return bits
