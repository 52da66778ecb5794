"""Makes German lines without capitals, with how to restore them: `python data.py $SEQ2SEQ_DATA/tatoeba_en_de FOLDER`.

    FOLDER/{train,valid,test}.text     the words of a sentence, all lower case
    FOLDER/{train,valid,test}.case     for each of them: lower, Title, UPPER or mixed

No sentence stands in two splits. The same call writes the same bytes.
"""

import random
import sys
from pathlib import Path

from seq2seq.io.text import Lines, find

SIZES = {"train": 60_000, "valid": 1_000, "test": 2_000}  # sentences


def main(corpus: Path, folder: Path) -> None:
    """Writes every file."""
    folder.mkdir(parents=True, exist_ok=True)
    different: dict[str, list[str]] = {}  # sentences that differ by case alone count as one
    for line in Lines(find(corpus, "train.de")):
        words = line.split()
        if words:
            different.setdefault(" ".join(words).lower(), words)
    sentences = list(different.values())
    random.Random(1).shuffle(sentences)
    for split, size in SIZES.items():
        chosen, sentences = sentences[:size], sentences[size:]
        write(folder / f"{split}.text", [" ".join(words).lower() for words in chosen])
        write(folder / f"{split}.case", [" ".join(map(case, words)) for words in chosen])
        print(f"{split}: {len(chosen):,} sentences, {sum(map(len, chosen)):,} words")


def case(word: str) -> str:
    """`„Hast` is Title, `Ich` too; `USA` UPPER, `iPhone` mixed; what has no letters is lower."""
    letters = "".join(letter for letter in word if letter.isalpha())
    if letters == letters.lower():
        return "lower"
    if letters == letters[0].upper() + letters[1:].lower():
        return "Title"
    return "UPPER" if letters == letters.upper() else "mixed"


def write(path: Path, lines: list[str]) -> None:
    """Lines that end in \\n on every system."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
