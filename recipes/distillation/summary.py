"""Teacher and students side by side: `python summary.py FOLDER TEACHER` prints it and writes FOLDER/results.json."""

import json
import sys
from pathlib import Path

from safetensors import safe_open

SCORED = {  # below FOLDER: the model's run, and what to call it
    "teacher": ("", "teacher, beam 5"),
    "references/beam": ("references", "student of the references, beam 5"),
    "references/greedy": ("references", "student of the references, greedy"),
    "distilled/beam": ("distilled", "student of the teacher, beam 5"),
    "distilled/greedy": ("distilled", "student of the teacher, greedy"),
}


def main(folder: Path, teacher: Path) -> None:
    """Prints a row a model and search."""
    results = {}
    print(f"{'test_2016, en-de':36}   BLEU   chrF  parameters")
    for name, (run, title) in SCORED.items():
        results[name] = json.loads((folder / name / "evaluation.json").read_text(encoding="utf-8"))
        scores = results[name]["test_2016"]["en-de"]
        size = parameters(folder / run if run else teacher)
        print(f"{title:36} {scores['bleu']:6.2f} {scores['chrf']:6.2f}  {size:10,}")
    print(results["teacher"]["test_2016"]["en-de"]["signature"]["bleu"])
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def parameters(run: Path) -> int:
    """How many numbers the model of a run has."""
    with safe_open(run / "model" / "model.safetensors", framework="pt") as file:
        return sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118 - not a dict


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
