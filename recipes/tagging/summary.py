"""The tagger beside two that know words but no sentences: `python summary.py FOLDER`, which run.sh filled.

    most frequent      the most frequent case of the word in train; lower for a word that train lacks
    and first word     the same, but the first word of a sentence is a Title where that says lower

Prints a table and some restored sentences, and writes FOLDER/results.json.
"""

import json
import sys
from collections import Counter
from itertools import chain
from pathlib import Path

from seq2seq.io.text import Lines

SHOWN = 8  # sentences
Cases = list[str]


def main(folder: Path) -> None:
    """Everything about the test sentences."""
    texts = words(folder / "text" / "test.text")
    right, found = words(folder / "text" / "test.case"), words(folder / "test.case")
    frequent = most_frequent(folder)
    plain = [[frequent.get(word, "lower") for word in line] for line in texts]
    first = [["Title" if case == "lower" else case for case in line[:1]] + line[1:] for line in plain]
    results = {}
    print(f"{'':16}  words  sentences   (right, % of {sum(map(len, right)):,} and {len(right):,})")
    for name, cases in (("most frequent", plain), ("and first word", first), ("tagger", found)):
        flat = share(list(chain.from_iterable(cases)), list(chain.from_iterable(right)))
        results[name] = {"words": flat, "sentences": share(cases, right)}
        print(f"{name:16} {results[name]['words']:6.2f} {results[name]['sentences']:10.2f}")
    for text, cases, wanted in list(zip(texts, found, right, strict=True))[:SHOWN]:
        print(("   " if cases == wanted else "!  ") + " ".join(map(restored, text, cases)))
    (folder / "results.json").write_text(json.dumps({"test": results}, indent=2) + "\n", encoding="utf-8")


def words(path: Path) -> list[list[str]]:
    """The items of each line."""
    return [line.split(" ") for line in Lines(path)]


def most_frequent(folder: Path) -> dict[str, str]:
    """The most frequent case of each word in train."""
    counts: dict[str, Counter[str]] = {}
    for text, cases in zip(words(folder / "text" / "train.text"), words(folder / "text" / "train.case"), strict=True):
        for word, case in zip(text, cases, strict=True):
            counts.setdefault(word, Counter())[case] += 1
    return {word: count.most_common(1)[0][0] for word, count in counts.items()}


def share(found: list[Cases] | Cases, right: list[Cases] | Cases) -> float:
    """Percent of these that are equal."""
    return 100 * sum(one == other for one, other in zip(found, right, strict=True)) / len(right)


def restored(word: str, case: str) -> str:
    """The word with its capitals; nobody knows which of a mixed one's."""
    if case == "UPPER":
        return word.upper()
    place = next((place for place, letter in enumerate(word) if letter.isalpha()), 0)
    return word[:place] + word[place : place + 1].upper() + word[place + 1 :] if case == "Title" else word


if __name__ == "__main__":
    main(Path(sys.argv[1]))
