"""BLEU of every cell on EuTrans at the same budget of updates: `python quality.py FOLDER [--jobs 4] [override ...]`.

One process on one core per run, `--jobs` of them side by side. A run that is done is not done again, one that was cut
off goes on, so the sweep can be stopped and started at will. Needs $SEQ2SEQ_DATA/eutrans_es_en.
"""

import argparse
import json
import os
import statistics
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from seq2seq.config.build import configuration_folder

TEXT = ("corpus=eutrans", "corpus.test=[valid]", "tokenizer.vocab_size=500")
SMALL = ("model.width=128", "encoder.layers=1", "decoder.layers=1", "encoder.feed_forward=0", "decoder.feed_forward=0")
BUDGET = (  # validated once, at the end: no weights are chosen on the lines that they are scored on
    "trainer.updates=600",
    "trainer.validate_every=600",
    "trainer.report_every=50",
    "trainer.ema_decay=0.99",
    "trainer.average_checkpoints=0",
    "trainer.cores=1",
    "loader.max_tokens=400",
    "schedule.warmup=100",
    "validation.max_lines=20",
)
ONE_CORE = {**os.environ, "OMP_NUM_THREADS": "1"}


def main() -> None:
    """Runs what is missing, then writes the table."""
    cells = sorted(path.stem for path in (configuration_folder() / "cell").glob("*.yaml"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where runs and tables go")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, a core each")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--cells", nargs="+", default=cells, choices=cells, metavar="CELL")
    chosen, overrides = parser.parse_known_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    text = (*TEXT, f"cache={chosen.folder / 'cache'}")
    seq2seq(("prepare", *text), chosen.folder / "prepare.log")
    # seeds outside: stopped early, every cell has been run with the first ones
    runs = [(chosen.folder / f"{cell}_{seed}", cell, seed) for seed in chosen.seeds for cell in chosen.cells]
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for _ in pool.map(lambda run: train(*run, (*text, *overrides)), runs):
            summarise(chosen.folder, cells)


def train(run: Path, cell: str, seed: int, overrides: Sequence[str]) -> None:
    """One run from training to score, unless it has a score."""
    if (run / "evaluation.json").is_file():
        return
    log = run.with_suffix(".log")
    seq2seq(("train", f"run={run}", f"cell={cell}", f"seed={seed}", *SMALL, *BUDGET, *overrides), log)
    seq2seq(("evaluate", f"model={run}", "cores=1"), log)
    print(f"{run.name}: BLEU {score(run):.1f}", flush=True)


def seq2seq(arguments: Sequence[str], log: Path) -> None:
    """A command of the toolkit; what it says goes to `log`."""
    with log.open("a", encoding="utf-8") as file:
        subprocess.run(("seq2seq", *arguments), stdout=file, stderr=subprocess.STDOUT, env=ONE_CORE, check=True)


def summarise(folder: Path, cells: Sequence[str]) -> None:
    """quality.md and quality.json: mean and deviation over the seeds that are done, best cell first."""
    rows = []
    for cell in cells:
        runs = sorted(path.parent for path in folder.glob(f"{cell}_[0-9]*/evaluation.json"))
        if runs:
            scores = [score(run) for run in runs]
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            losses = [last(run, "validation")["scores"]["loss"] for run in runs]
            seconds = statistics.mean(last(run, "training")["seconds"] for run in runs)
            rows.append((cell, statistics.mean(scores), spread, statistics.mean(losses), len(runs), seconds))
    rows.sort(key=lambda row: -row[1])
    names = ("cell", "bleu", "deviation", "loss", "seeds", "seconds")
    (folder / "quality.json").write_text(
        json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2) + "\n", encoding="utf-8"
    )
    lines = [
        "| cell | BLEU, mean ± deviation | validation loss, nats/token | seeds | training, s |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {c} | {b:.1f} ± {d:.1f} | {x:.3f} | {n} | {t:.0f} |" for c, b, d, x, n, t in rows]
    (folder / "quality.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def score(run: Path) -> float:
    """BLEU of the one test set and direction."""
    found: float = json.loads((run / "evaluation.json").read_text("utf-8"))["valid"]["es-en"]["bleu"]
    return found


def last(run: Path, event: str) -> dict:
    """The last record of its kind in a run's log."""
    records = map(json.loads, (run / "log.jsonl").read_text("utf-8").splitlines())
    return [record for record in records if record["event"] == event][-1]


if __name__ == "__main__":
    main()
