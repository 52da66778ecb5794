"""A parallel corpus made up on the spot: sentences of nonsense words, spelt differently in each language."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from hypothesis import strategies as st

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.cleaning.control import Control
from seq2seq.data.cleaning.duplicate import Duplicate
from seq2seq.data.cleaning.empty import Empty
from seq2seq.data.cleaning.identical import Identical
from seq2seq.data.cleaning.length import Length
from seq2seq.data.cleaning.ratio import Ratio
from seq2seq.data.corpus.files import Files
from seq2seq.data.tokenizer.train import TokenizerSettings

# What other readers split on, drop or stumble over.
SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\x00\r\ufeff\t\u200b\ufffd"
LINE = st.text(st.one_of(st.characters(codec="utf-8", exclude_characters="\n"), st.sampled_from(SEPARATORS + " ")))


def sentences(count: int, languages: Sequence[str], seed: int = 0, longest: int = 12) -> dict[str, list[str]]:
    """`count` different sentences in every language."""
    draw = random.Random(seed)
    syllables = [first + vowel for first in "bdfgklmnprst" for vowel in "aeiou"]
    found: dict[str, list[str]] = {language: [] for language in languages}
    for number in range(count):
        words = ["".join(draw.choices(syllables, k=draw.randint(1, 3))) for _ in range(draw.randint(1, longest))]
        words.insert(draw.randint(0, len(words)), str(number))
        for language in languages:
            found[language].append(" ".join(f"{word}{language}" for word in words))
    return found


def write(folder: Path, split: str, texts: Mapping[str, Sequence[str]]) -> None:
    """`SPLIT.LANGUAGE` files, byte for byte: no newline of the platform."""
    folder.mkdir(parents=True, exist_ok=True)
    for language, lines in texts.items():
        (folder / f"{split}.{language}").write_bytes("".join(f"{line}\n" for line in lines).encode())


def toy_corpus(folder: Path, directions: Sequence[str] = ("en-de",), count: int = 300) -> Files:
    """Files with a train and a valid split in the languages of the directions."""
    languages = sorted({language for direction in directions for language in direction.split("-")})
    write(folder, "train", sentences(count, languages))
    write(folder, "valid", sentences(20, languages, seed=1))
    return Files(str(folder), list(directions), [], ["train"], ["valid"], [])


def vocabulary(
    algorithm: str = "unigram",
    size: int = 420,
    joint: bool = True,
    normalisation: str = "identity",
    sample: float = 1.0,
    source_tags: Sequence[str] = (),
    canonical: bool = True,
) -> TokenizerSettings:
    """Settings that suit the toy corpus."""
    return TokenizerSettings(algorithm, size, joint, True, normalisation, True, 1.0, sample, 1, source_tags, canonical)


def every_filter() -> dict[str, Filter]:
    """All filters, with the settings of the default cleaning."""
    return {
        "empty": Empty(),
        "control": Control(),
        "length": Length(1, 1000),
        "ratio": Ratio(6.0, 30),
        "identical": Identical(0),
        "duplicate": Duplicate(1_000_000),
    }
