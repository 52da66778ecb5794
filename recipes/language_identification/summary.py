"""The accuracies of the classifier beside those of counted letters: `python summary.py FOLDER`, which `run.sh` filled.

The baseline is a naive Bayes classifier over runs of one to four characters, each run counted once more than it was
seen: what one would write without a network. Writes FOLDER/results.json and prints a table.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from data import LENGTHS

from seq2seq.io.text import Lines

LONGEST_RUN = 4


def main(folder: Path) -> None:
    """Prints and writes one row a length."""
    model = Bayes(folder / "text" / "train.tsv")
    results = {}
    print("characters  network  counted runs   (accuracy, %)")
    for length in LENGTHS:
        found = json.loads((folder / f"test_{length}.json").read_text(encoding="utf-8"))
        test = folder / "text" / f"test_{length}"
        pairs = list(zip(Lines(f"{test}.text"), Lines(f"{test}.label"), strict=True))
        counted = 100 * sum(model.label(text) == label for text, label in pairs) / len(pairs)
        results[f"test_{length}"] = {**found, "baseline": counted}
        print(f"{length:10}  {found['accuracy']:7.2f}  {counted:12.2f}")
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


class Bayes:
    """Counts of the runs of characters of each label."""

    def __init__(self, path: Path) -> None:
        self.counts: dict[str, Counter[str]] = {}
        for line in list(Lines(path))[1:]:
            text, label = line.split("\t")
            self.counts.setdefault(label, Counter()).update(runs(text))
        kinds = len(set().union(*self.counts.values()))
        self.totals = {label: math.log(counts.total() + kinds) for label, counts in self.counts.items()}

    def label(self, text: str) -> str:
        """The likeliest; all labels are equally frequent."""
        found = list(runs(text))
        scores = {
            label: sum(math.log(counts[run] + 1) for run in found) - len(found) * self.totals[label]
            for label, counts in self.counts.items()
        }
        return max(scores, key=lambda label: scores[label])


def runs(text: str) -> Iterator[str]:
    """Every run of one to four characters, the line's ends marked."""
    text = f" {text} "
    for length in range(1, LONGEST_RUN + 1):
        yield from (text[start : start + length] for start in range(len(text) - length + 1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
