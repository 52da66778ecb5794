"""Makes labelled lines from the Bible in ten languages: `python data.py $SEQ2SEQ_DATA/bible_multi10 FOLDER`.

    FOLDER/train.tsv, valid.tsv                  a piece of a verse, a tab, its language
    FOLDER/test_{10,20,40,80}.{text,label}       the first so many characters of each held-out verse, and its language

Training and validation pieces are cut out of their verse at random. The test verses are the second half of the corpus's
validation split, whose chapters are not in train; a piece of train that equals one of a test is left out. The same call
writes the same bytes.
"""

import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from seq2seq.io.text import Lines, find

LANGUAGES = ("cs", "de", "en", "eo", "es", "he", "hr", "la", "sr", "zh")
TRAIN = 20_000  # verses of a language
SHORTEST, LONGEST = 5, 100  # characters of a piece, as many of 5 to 10 as of 50 to 100
LENGTHS = (10, 20, 40, 80)  # characters of a test line
Row = tuple[str, str]  # text and label


def main(corpus: Path, folder: Path) -> None:
    """Writes every file."""
    folder.mkdir(parents=True, exist_ok=True)
    held_out = {language: list(Lines(find(corpus, f"valid.{language}"))) for language in LANGUAGES}
    half = len(held_out["en"]) // 2
    tests = {length: list(beginnings(held_out, half, length)) for length in LENGTHS}
    seen = {text for rows in tests.values() for text, _ in rows}
    source = random.Random(1)
    verses = {language: list(Lines(find(corpus, f"train.{language}"))) for language in LANGUAGES}
    train = [row for row in pieces(verses, TRAIN, source) if row[0] not in seen]
    valid = list(pieces({language: lines[:half] for language, lines in held_out.items()}, half, source))
    for name, rows in (("train", train), ("valid", valid)):
        source.shuffle(rows)
        write(folder / f"{name}.tsv", ["text\tlabel", *("\t".join(row) for row in rows)])
    for length, rows in tests.items():
        write(folder / f"test_{length}.text", [text for text, _ in rows])
        write(folder / f"test_{length}.label", [label for _, label in rows])
    print(f"{len(train):,} lines to train, {len(valid):,} to validate, {len(rows):,} in each test")


def pieces(verses: dict[str, list[str]], count: int, source: random.Random) -> Iterator[Row]:
    """A piece of each of `count` verses of every language."""
    for language, lines in verses.items():
        for line in source.sample(lines, count):
            length = round(math.exp(source.uniform(math.log(SHORTEST), math.log(LONGEST))))
            start = source.randint(0, max(0, len(line) - length))
            yield clean(line[start : start + length]), language


def beginnings(verses: dict[str, list[str]], skipped: int, length: int) -> Iterator[Row]:
    """The first characters of the verses behind the first `skipped`."""
    for language, lines in verses.items():
        for line in lines[skipped:]:
            yield clean(line[:length]), language


def clean(text: str) -> str:
    """Without the tabs that would part a line."""
    return text.replace("\t", " ").strip()


def write(path: Path, lines: list[str]) -> None:
    """Lines that end in \\n on every system."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
