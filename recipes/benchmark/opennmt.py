"""Training beside OpenNMT-py 3.5.1, in turns: `python opennmt.py [--threads 3 4] [--rounds 2] [--seconds 40]`.

The same text, the same pieces of the same tokenizer, the same model (2+2 LSTM layers, 256/512; OpenNMT-py's with input
feeding, ours with its parallel decoder and, for comparison, with input feeding too), the same threads and about as many
target tokens an update. OpenNMT-py runs in fp32, as it comes: on a CPU it has no other format; ours in the
fastest that the machine has (bf16 or fp32). OpenNMT-py is installed from
the package registry into runs/benchmark/opennmt, an environment of its own. Writes runs/benchmark/opennmt.json and .md.
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import time
import venv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from models import FASTEST, FOLDER, opened
from speed import trained

from seq2seq.data.dataset.store import Store
from seq2seq.data.tokenizer.tokenizer import Tokenizer

NEEDS = ["configargparse", "ctranslate2>=4,<5", "pyonmttok>=1.37,<2", "sacrebleu", "sentencepiece", "tensorboard>=2.3"]
NEEDS += ["pyyaml", "rapidfuzz", "waitress", "flask", "six", "spacy", "pyahocorasick", "fasttext-wheel"]
STEP = re.compile(r"Step\s+(\d+)/.*bsz:\s*\d+/\s*(\d+)/")
WARM_UP = 4  # of its steps
THEIR_UPDATE = 5200  # places; three quarters of them hold target tokens, so its updates are as large as ours
THEIRS, OURS = "OpenNMT-py 3.5.1, fp32", f"seq2seq, {FASTEST}"
FEEDING = f"{OURS}, decoder=input_feeding"
MODEL = {
    **{"encoder_type": "brnn", "decoder_type": "rnn", "rnn_type": "LSTM", "enc_layers": 2, "dec_layers": 2},
    **{"word_vec_size": 256, "hidden_size": 512, "global_attention": "general", "input_feed": 1},
    **{"optim": "adam", "learning_rate": 0.001, "max_grad_norm": 1.0, "label_smoothing": 0.1, "dropout": [0.3]},
    **{"attention_dropout": [0.0], "param_init": 0.1, "normalization": "tokens", "batch_type": "tokens"},
    **{"num_workers": 1, "prefetch_factor": 20, "world_size": 1, "gpu_ranks": [], "seed": 42, "report_every": 1},
    **{"train_steps": 100000, "valid_steps": 1000000, "save_checkpoint_steps": 1000000, "share_vocab": True},
}


class Turn(NamedTuple):
    """Target tokens a second of one turn, and target tokens an update."""

    who: str
    threads: int
    tokens_per_second: float
    tokens_per_update: float


def main() -> None:
    """Installs, trains in turns, writes, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = os.cpu_count() or 1
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({min(3, cores), cores}))
    parser.add_argument("--rounds", type=int, default=2, help="turns of each")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each turn")
    parser.add_argument("--environment", type=Path, default=FOLDER / "opennmt", help="where OpenNMT-py is, or will be")
    chosen = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = installed(chosen.environment)
    prepared, _ = opened("11M")
    configuration = written(FOLDER / "opennmt_text", prepared.train, prepared.tokenizer)
    turns = []
    for threads in chosen.threads:
        for number in range(chosen.rounds):
            turns.append(ours(OURS, "11M", threads, chosen.seconds))
            turns.append(theirs(program, configuration, threads, chosen.seconds))
            if number == 0:
                turns.append(ours(FEEDING, "11M, input feeding", threads, chosen.seconds))
            print(*turns[-3:], sep="\n", flush=True)
    (FOLDER / "opennmt.json").write_text(json.dumps([turn._asdict() for turn in turns], indent=1) + "\n", "utf-8")
    (FOLDER / "opennmt.md").write_text(table(turns), "utf-8")
    print(table(turns))


def installed(environment: Path) -> Path:
    """The program onmt_train, with the torch that runs this; it asks for an older one, but works with it."""
    program = environment / "bin" / "onmt_train"
    if not program.is_file():
        import torch

        venv.create(environment, with_pip=True)
        install = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, f"torch=={torch.__version__.partition('+')[0]}", *NEEDS], check=True)
        subprocess.run([*install, "--no-deps", "OpenNMT-py==3.5.1"], check=True)
    return program


def written(folder: Path, store: Store, tokenizer: Tokenizer) -> Path:
    """The training text as pieces, the vocabulary, and OpenNMT-py's configuration file, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = tokenizer.pieces(range(tokenizer.sizes[0]))
    for side, rows in zip(("source", "target"), store.ids(np.arange(len(store))), strict=True):
        lines = (" ".join(pieces[piece] for piece in row) + "\n" for row in rows)
        (folder / side).write_text("".join(lines), "utf-8")
    vocabulary = [piece for piece in pieces if piece not in ("<pad>", "<unk>", "<s>", "</s>")]
    (folder / "vocabulary").write_text("".join(f"{piece}\t1\n" for piece in vocabulary), "utf-8")
    text = {"path_src": str(folder / "source"), "path_tgt": str(folder / "target"), "transforms": [], "weight": 1}
    words = str(folder / "vocabulary")
    places = {"save_data": str(folder / "data"), "save_model": str(folder / "model"), "overwrite": True}
    sizes = {"src_vocab": words, "tgt_vocab": words, "src_vocab_size": 8000, "tgt_vocab_size": 8000}
    batches = {"vocab_size_multiple": 1, "batch_size": THEIR_UPDATE, "bucket_size": len(store), "data": {"text": text}}
    (folder / "train.yaml").write_text(yaml.safe_dump({**MODEL, **places, **sizes, **batches}), "utf-8")
    return folder / "train.yaml"


def ours(who: str, model: str, threads: int, seconds: float) -> Turn:
    """A turn of `seq2seq train`, a process a core."""
    speed = trained(model, FASTEST, threads, seconds, list(range(threads)))
    return Turn(who, threads, speed.median, speed.tokens_per_update)


def theirs(program: Path, configuration: Path, threads: int, seconds: float) -> Turn:
    """A turn of onmt_train, ended some seconds after its first steps: the median of its steps."""
    pinned = ["taskset", "-c", f"0-{threads - 1}"] if shutil.which("taskset") else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    command = [*pinned, str(program), "-config", str(configuration)]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    times, tokens, said = [], [], []
    for line in process.stdout:
        said.append(line)
        if found := STEP.search(line):
            times.append(time.monotonic())
            tokens.append(int(found[2]))
            if len(times) > WARM_UP + 3 and times[-1] - times[WARM_UP] > seconds:
                break
    os.killpg(process.pid, signal.SIGKILL)  # with the processes that read its text
    process.wait()
    if len(times) <= WARM_UP + 3:
        raise SystemExit(f"{' '.join(command)} failed:\n{''.join(said[-20:])}")
    return Turn(THEIRS, threads, windows(times[WARM_UP:], tokens[WARM_UP:]), statistics.mean(tokens[WARM_UP:]))


def windows(times: list[float], tokens: list[int]) -> float:
    """Tokens a second: the median over windows of two steps; a step's tokens came since the one before."""
    ends = range(2, len(times), 2)
    return statistics.median(sum(tokens[end - 1 : end + 1]) / (times[end] - times[end - 2]) for end in ends)


def table(turns: list[Turn]) -> str:
    """A row a contestant and number of threads."""
    lines = ["| threads | who | target tokens/s, turn by turn | mean | of OpenNMT-py | target tokens an update |"]
    lines.append("|---|---|---|---|---|---|")
    for threads in dict.fromkeys(turn.threads for turn in turns):
        base = _mean(turns, THEIRS, threads)
        for who in (THEIRS, OURS, FEEDING):
            own = [turn for turn in turns if (turn.who, turn.threads) == (who, threads)]
            each = ", ".join(f"{turn.tokens_per_second:,.0f}" for turn in own)
            update = statistics.mean(turn.tokens_per_update for turn in own)
            mean = _mean(turns, who, threads)
            lines.append(f"| {threads} | {who} | {each} | {mean:,.0f} | {mean / base:.2f} | {update:,.0f} |")
    return "\n".join(lines) + "\n"


def _mean(turns: list[Turn], who: str, threads: int) -> float:
    return statistics.mean(turn.tokens_per_second for turn in turns if (turn.who, turn.threads) == (who, threads))


if __name__ == "__main__":
    main()
