"""What the two generators wrote: `python summary.py FOLDER`, which run.sh filled; writes FOLDER/results.json."""

import json
import sys
from pathlib import Path

from seq2seq.io.text import Lines

SHOWN = 3  # phrases of each language


def main(folder: Path) -> None:
    """Prints phrases, and every share in percent."""
    written = list(Lines(folder / "phrases.text"))
    asked = list(Lines(folder / "text" / "phrases" / "asked.label"))
    known = set(Lines(folder / "text" / "phrases" / "train.text"))
    for language in dict.fromkeys(asked):
        lines = [line for line, label in zip(written, asked, strict=True) if label == language]
        print(f"{language}: " + " | ".join(lines[:SHOWN]))
    numbers = list(Lines(folder / "numbers.text"))
    right = list(Lines(folder / "text" / "numbers" / "test.text"))
    results = {
        "recognised": json.loads((folder / "recognised.json").read_text(encoding="utf-8"))["accuracy"],
        "different": 100 * len(set(written)) / len(written),
        "copied": 100 * sum(line in known for line in written) / len(written),
        "numbers_exact": 100 * sum(one == other for one, other in zip(numbers, right, strict=True)) / len(right),
    }
    print(f"phrases whose language the classifier recognises: {results['recognised']:.1f} %")
    print(f"different from each other: {results['different']:.1f} %; standing in train: {results['copied']:.1f} %")
    print(f"numbers that training never saw, written exactly right: {results['numbers_exact']:.1f} %")
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
