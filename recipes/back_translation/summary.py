"""The three models side by side: `python summary.py FOLDER`, which run.sh filled. Writes FOLDER/results.json."""

import json
import sys
from pathlib import Path

MODELS = {"pairs": "10,000 pairs", "untagged": "and back-translation", "tagged": "and back-translation, tagged"}


def main(folder: Path) -> None:
    """Prints a row a model."""
    results = {}
    print(f"{'test_2016, en-de':30}   BLEU   chrF")
    for name, title in MODELS.items():
        found = json.loads((folder / name / "evaluation.json").read_text(encoding="utf-8"))
        results[name] = found
        scores = found["test_2016"]["en-de"]
        print(f"{title:30} {scores['bleu']:6.2f} {scores['chrf']:6.2f}")
    print(results["tagged"]["test_2016"]["en-de"]["signature"]["bleu"])
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
