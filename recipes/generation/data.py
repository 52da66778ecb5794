"""Makes what the two generators learn from: `python data.py $SEQ2SEQ_DATA/tatoeba_multi4 FOLDER`.

    FOLDER/phrases/{train,valid}.{text,label}            a short sentence and its language: de, en, es or fr
    FOLDER/phrases/asked.label                           250 times each language
    FOLDER/numbers/{train,valid,test}.{text,digits}      a number below 10,000 in German words, and its digits

Of each digit the vector has ten numbers, a 1 at its place among 0s: "0 0 1 0 ...". No number stands in two splits. The
same call writes the same bytes.
"""

import random
import sys
from pathlib import Path

from num2words import num2words

from seq2seq.io.text import Lines, find

LANGUAGES = ("de", "en", "es", "fr")
LONGEST = 40  # characters of a phrase
ASKED = 250  # lines of each language to generate
SIZES = {"train": 3000, "valid": 200, "test": 1000}  # numbers


def main(corpus: Path, folder: Path) -> None:
    """Writes every file."""
    for name in ("phrases", "numbers"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid"):
        rows = [(line, language) for language in LANGUAGES for line in Lines(find(corpus, f"{split}.{language}"))]
        rows = [row for row in dict.fromkeys(rows) if len(row[0]) <= LONGEST]
        random.Random(1).shuffle(rows)
        write(folder / "phrases" / f"{split}.text", [text for text, _ in rows])
        write(folder / "phrases" / f"{split}.label", [language for _, language in rows])
    write(folder / "phrases" / "asked.label", [language for language in LANGUAGES for _ in range(ASKED)])
    values = random.Random(1).sample(range(10_000), sum(SIZES.values()))
    for split, size in SIZES.items():
        chosen, values = values[:size], values[size:]
        write(folder / "numbers" / f"{split}.text", [num2words(value, lang="de") for value in chosen])
        write(folder / "numbers" / f"{split}.digits", [vector(value) for value in chosen])


def vector(value: int) -> str:
    """The four digits, each as ten numbers."""
    return " ".join("1" if int(digit) == place else "0" for digit in f"{value:04}" for place in range(10))


def write(path: Path, lines: list[str]) -> None:
    """Lines that end in \\n on every system."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
