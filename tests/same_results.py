"""Whether a refactoring changed any result: small runs of every kind of model, and all that is made with them.

`python tests/same_results.py FILE` writes what came out (losses, hashes of tensors, translations, scores) to FILE; with
a FILE of before it compares, and exits with 1 where anything differs. Bit for bit on one machine; other processors and
versions of torch round in other ways, so FILE belongs to a machine and is not kept here. Takes about three minutes.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import apart
import numpy as np
from conftest import write_toy_text
from equal_runs import last
from safetensors.numpy import load_file

RUN = [
    "trainer.updates=8",
    "trainer.validate_every=4",
    "trainer.report_every=1",
    "trainer.cores=1",
    "trainer.ema_decay=0.9",
]
COMMON = ["corpus=files", "corpus.path=text", "model.width=16", "trainer.precision=fp32"]
PAIRS = [
    "corpus.directions=[en-de]",
    "tokenizer.vocab_size=32",
    "tokenizer.byte_fallback=false",
    "loader.max_tokens=60",
]
MONOLINGUAL = ["languages=[de]", "tokenizer=existing", "tokenizer.folder=runs/parallel"]
TRAININGS = {
    "parallel": ["train", *PAIRS],
    "both_directions": [
        "train",
        *PAIRS,
        "corpus.directions=[en-de,de-en]",
        "loader.sampled_sides=[source]",
        "augmentation=[upper,typos]",
    ],
    "input_feeding": [
        "train",
        *PAIRS,
        "decoder=input_feeding",
        "cell=gru",
        "attention=additive",
        "bridge=last",
        "model.word_dropout=0.2",
    ],
    "conditional": [
        "train",
        *PAIRS,
        "decoder=conditional",
        "cell=lstm",
        "attention=dot",
        "encoder=alternating",
    ],
    "coverage": [
        "train",
        *PAIRS,
        "decoder=input_feeding",
        "attention=coverage",
        "optimizer=adamw",
        "schedule=inverse_sqrt",
    ],
    "ssru": ["train", *PAIRS, "cell=ssru", "trainer.average_of=last", "tokenizer=bpe"],
    "r_drop": ["train", *PAIRS, "objective=r_drop"],
    "scheduled_sampling": ["train", *PAIRS, "objective=scheduled_sampling"],
    "minimum_risk": [
        "train",
        *PAIRS,
        "objective=minimum_risk",
        "trainer.updates=2",
        "trainer.validate_every=2",
    ],
    "language_model": ["train_language_model", *MONOLINGUAL, "reading=lines", "reading.max_tokens=120"],
    "language_model_stream": ["train_language_model", *MONOLINGUAL, "reading.streams=8", "reading.bptt_length=16"],
    "classifier": ["train_classifier", *PAIRS, "corpus.directions=[en-label]", "tokenizer.vocab_size=20"],
    "tagger": ["train_tagger", *PAIRS, "corpus.directions=[en-tags]", "tokenizer.vocab_size=20"],
    "generator": ["train_generator", *PAIRS, "corpus.directions=[label-en]", "tokenizer.vocab_size=20"],
}
TRANSLATE = ["translate", "source=en", "target=de", "cores=1", "precision=fp32", "input=text/test.en"]
BEAM = ["output_format=json", "details=[tokens,alignments]", "search.n_best=3"]
USES = {
    "greedy": [*TRANSLATE, "model=runs/parallel", "search=greedy"],
    **{
        f"beam_{name}": [*TRANSLATE, f"model=runs/{name}", *BEAM]
        for name in ("parallel", "input_feeding", "conditional", "coverage", "ssru", "both_directions")
    },
    "diverse": [*TRANSLATE, "model=runs/parallel", "search=diverse"],
    "sampling": [*TRANSLATE, "model=runs/parallel", "search=sampling"],
    "mbr": [*TRANSLATE, "model=runs/parallel", "search=mbr"],
    "constrained": [*TRANSLATE, "model=runs/parallel", "search=constrained", "glossary=glossary"],
    "ensemble": [*TRANSLATE, "model=[runs/parallel,runs/conditional]", "weights=[2,1]", *BEAM],
    "fusion": [*TRANSLATE, "model=runs/parallel", "fusion.language_model=runs/language_model", "fusion.weight=0.2"],
    "int8_file": ["export", "model=runs/parallel", "output=int8", "precision=int8"],
    "translated_from_int8": [*TRANSLATE, "model=int8"],
    "score": ["score", "model=runs/parallel", "input=text/test.en", "output=scores", "translations=text/test.de"],
    "score_language_model": ["score", "model=runs/language_model", "input=text/test.de", "output=scores_de"],
    "sample": ["sample", "model=runs/language_model", "num_samples=5"],
    "label": ["label", "model=runs/classifier", "input=text/test.en"],
    "tag": ["label", "model=runs/tagger", "input=text/test.en"],
    "generate": ["generate", "model=runs/generator", "input=text/test.label"],
    "evaluate": [
        "evaluate",
        "model=runs/parallel",
        "output=evaluation",
        "corpus=files",
        "corpus.path=text",
        "corpus.directions=[en-de]",
        "corpus.test=[test]",
    ],
}


def write_text(folder: Path) -> None:
    """The toy corpus, with a label a line (its first word) and a tag a word (its last letter)."""
    write_toy_text(folder / "text")
    for split in ("train", "valid", "test"):
        lines = (folder / "text" / f"{split}.en").read_text("utf-8").splitlines()
        labels = "".join(f"{line.split()[0]}\n" for line in lines)
        tags = "".join(" ".join(word[-1] for word in line.split()) + "\n" for line in lines)
        (folder / "text" / f"{split}.label").write_text(labels, "utf-8")
        (folder / "text" / f"{split}.tags").write_text(tags, "utf-8")
    (folder / "glossary").write_text("dog\tKatze\n", "utf-8")


def tensors(path: Path) -> dict[str, str]:
    """A hash of each tensor of a file."""
    return {name: hashlib.sha256(np.ascontiguousarray(one)).hexdigest()[:16] for name, one in load_file(path).items()}


def run(command: list[str], folder: Path) -> str:
    """Standard output of a command; a failed one ends everything."""
    done = apart.run("seq2seq", command, folder)
    if done.returncode not in (0, 3):  # 3: a line of this tiny model is truncated, or off its target
        sys.exit(f"seq2seq {' '.join(command)}\n{done.stderr}")
    return done.stdout


def trained(folder: Path) -> dict[str, object]:
    """Losses and scores of a run's log, and all of its tensors."""
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    return {
        "losses": [record["loss"] for record in records if "loss" in record],
        "scores": [record["scores"] for record in records if "scores" in record],
        "checkpoint": tensors(last(folder)),
        "model": tensors(folder / "model" / "model.safetensors"),
    }


def results(folder: Path) -> dict[str, object]:
    """Everything, by name."""
    write_text(folder)
    found: dict[str, object] = {}
    for name, (command, *more) in TRAININGS.items():
        print(name, file=sys.stderr)
        run([command, *COMMON, *RUN, *more, f"run=runs/{name}"], folder)
        found[name] = trained(folder / "runs" / name)
    for name, command in USES.items():
        print(name, file=sys.stderr)
        found[f"use of {name}"] = run(command, folder).splitlines()
    found["int8 tensors"] = tensors(folder / "int8" / "model.safetensors")
    found["scores"] = [(folder / name).read_text("utf-8") for name in ("scores", "scores_de")]
    return found


def differences(before: object, after: object, where: str = "") -> list[str]:
    """Where two results differ, down to the single value."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = sorted({*before, *after})
        return [one for name in names for one in differences(before.get(name), after.get(name), f"{where}/{name}")]
    return [] if before == after else [f"{where}: was {str(before)[:300]}, is {str(after)[:300]}"]


def main() -> int:
    """Write or compare."""
    file = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as place:
        now = json.loads(json.dumps(results(Path(place))))
    if not file.exists():
        file.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", "utf-8")
        return 0
    different = differences(json.loads(file.read_text("utf-8")), now)
    print("\n".join(different) or f"{len(now)} results are bit for bit what they were")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
