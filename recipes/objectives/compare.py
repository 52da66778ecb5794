"""Objectives and sampled segmentations beside plain likelihood: `python compare.py FOLDER [--pairs N] [override ...]`.

English to German, the first lines of Multi30k; one process on one core per run. A run that is done is not done again,
one that was cut off goes on. Needs $SEQ2SEQ_DATA/multi30k.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

BUDGET = (
    "loader.max_tokens=1000",
    "trainer.accumulation=1",
    "trainer.cores=1",
    "trainer.updates=2000",
    "trainer.validate_every=200",
    "trainer.ema_decay=0.998",
    "trainer.patience=null",
    "model.width=192",
    "schedule.warmup=200",
    "validation.max_lines=1014",
)
SAMPLED, SOURCE = "loader.sampled_sides=[source,target]", "loader.sampled_sides=[source]"
BPE, UNIGRAM = "tokenizer=bpe", "tokenizer=unigram"
MIXED = ("objective=scheduled_sampling", "objective.start=400", "objective.warmup=1200")
VARIANTS = {  # name: what differs
    "bpe": (BPE,),
    "unigram": (UNIGRAM,),
    "bpe_dropped": (BPE, SAMPLED, "loader.bpe_dropout=0.1"),
    "bpe_dropped_source": (BPE, SOURCE, "loader.bpe_dropout=0.1"),
    "unigram_sampled": (UNIGRAM, SAMPLED, "loader.sampling_nbest=64", "loader.sampling_alpha=0.2"),
    "r_drop_1": (BPE, "objective=r_drop", "objective.alpha=1"),
    "r_drop_5": (BPE, "objective=r_drop", "objective.alpha=5"),
    "scheduled_sampling": (BPE, *MIXED),
}
TUNING = (  # fine-tuning of the first variant
    "trainer.updates=200",
    "trainer.validate_every=100",
    "trainer.ema_decay=0.99",
    "loader.max_tokens=500",
    "optimizer.learning_rate=0.0002",
    "schedule.warmup=20",
)
RISK = (BPE, *TUNING, "objective=minimum_risk", "objective.weight=0.9", "objective.sharpness=0.5")
REFERENCE = "objective.include_reference=true"
METRIC = "objective.metric._target_=seq2seq.evaluation.sentence_metric"
TUNED = {
    "bpe_then_likelihood": (BPE, *TUNING),
    "bpe_then_minimum_risk_chrf_reference": (*RISK, REFERENCE, f"{METRIC}.ChrF"),
    "bpe_then_minimum_risk_bleu_reference": (*RISK, REFERENCE, f"{METRIC}.BLEU"),
    "bpe_then_minimum_risk_bleu": (*RISK, f"{METRIC}.BLEU"),
    "bpe_then_minimum_risk_bleu_cold": (*RISK, f"{METRIC}.BLEU", "objective.search.temperature=0.5"),
}


def main() -> None:
    """Runs what is missing, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where text, runs and tables go")
    parser.add_argument("--pairs", type=int, default=10000, help="of the training text")
    parser.add_argument("--vocabulary", type=int, default=4000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side, a core each")
    chosen, overrides = parser.parse_known_args()
    text = ("corpus=files", f"corpus.path={written(chosen.folder, chosen.pairs)}", "corpus.directions=[en-de]")
    text = (*text, f"tokenizer.vocab_size={chosen.vocabulary}", f"cache={chosen.folder / 'cache'}")
    for tokenizer in (BPE, UNIGRAM):
        seq2seq(("prepare", *text, tokenizer), chosen.folder / "prepare.log")
    for first, variants in ((True, VARIANTS), (False, TUNED)):  # the second begin where one of the first ended
        runs = [(chosen.folder / f"{name}_{seed}", name, seed) for seed in chosen.seeds for name in variants]
        with ThreadPoolExecutor(chosen.jobs) as pool:
            pending = []
            for run, name, seed in runs:
                begin = () if first else (f"init_from={chosen.folder / f'bpe_{seed}'}",)
                given = (*text, *BUDGET, *variants[name], *begin, f"run={run}", f"seed={seed}", *overrides)
                pending.append(pool.submit(seq2seq, ("train", *given), run.with_suffix(".log")))
            for one in pending:
                one.result()
    summarise(chosen.folder, chosen.seeds)


def written(folder: Path, pairs: int) -> Path:
    """A folder with the first lines of Multi30k's training text and its validation text."""
    source = Path(os.environ["SEQ2SEQ_DATA"]) / "multi30k"
    target = folder / f"text_{pairs}"
    target.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", pairs), ("valid", None)):
        for language in ("en", "de"):
            [path] = source.glob(f"{split}.{language}*")
            opened = gzip.open if path.suffix == ".gz" else open
            with opened(path, "rt", encoding="utf-8", newline="\n") as lines:
                (target / f"{split}.{language}").write_text(
                    "".join(islice(lines, count)), encoding="utf-8", newline="\n"
                )
    return target


def seq2seq(arguments: Sequence[str], log: Path) -> None:
    """A command of the toolkit; what it says goes to `log`."""
    with log.open("a", encoding="utf-8") as file:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(("seq2seq", *arguments), stdout=file, stderr=subprocess.STDOUT, env=environment, check=True)


def summarise(folder: Path, seeds: Sequence[int]) -> None:
    """compared.md and compared.json: validation scores after the last update, means over the seeds."""
    rows = []
    for name in (*VARIANTS, *TUNED):
        logs = [records(folder / f"{name}_{seed}" / "log.jsonl") for seed in seeds]
        ends = [[one for one in log if one["event"] == "validation"][-1] for log in logs]
        found = {key: statistics.mean(end["scores"][key] for end in ends) for key in ("bleu", "chrf", "loss")}
        minutes = statistics.mean(end["seconds"] / 60 for end in ends)
        rows.append({"name": name, **found, "minutes": minutes, "seeds": len(seeds)})
    (folder / "compared.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    lines = ["| | BLEU | chrF | loss, nats/token | training, minutes |", "|---|---|---|---|---|"]
    lines += [
        f"| {r['name']} | {r['bleu']:.1f} | {r['chrf']:.1f} | {r['loss']:.3f} | {r['minutes']:.1f} |" for r in rows
    ]
    (folder / "compared.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def records(log: Path) -> list[dict]:
    """What a run wrote down."""
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
