"""Target tokens a second of `seq2seq train`, in steady state."""

import json
import shutil
import statistics
import subprocess
import sys
from typing import NamedTuple

from models import FOLDER, MODELS, TEXT, shared_out

RUN = FOLDER / "training"
WARM_UP = 0.25  # share of a run's windows that count for nothing: kernels are made for each shape of batch


class Speed(NamedTuple):
    """Of a model, in target tokens a second: the median window, the highest and the lowest."""

    model: str
    format: str
    threads: int
    median: float
    highest: float
    lowest: float
    windows: int
    tokens_per_update: float
    waiting: float  # share of the time, for data
    padding: float  # share of the places


class TooShortError(Exception):
    """A training that made too few updates to say how fast it is."""


def trained(model: str, number_format: str, processes: int, seconds: float, cores: list[int]) -> Speed:
    """Trains for some seconds, on those cores (none: wherever the system puts it).

    Raises SystemExit with the training's own words where it fails or is too short.
    """
    shutil.rmtree(RUN, ignore_errors=True)
    budget = [f"trainer.hours={seconds / 3600}", "trainer.validate_every=1000000", "trainer.checkpoint_minutes=1000"]
    often = ["trainer.report_every=2", "trainer.average_checkpoints=0", "validation.max_lines=1"]
    settings = [*TEXT, *MODELS[model], *shared_out(processes), f"trainer.precision={number_format}", *budget, *often]
    command = [sys.executable, "-m", "seq2seq", "train", *settings, f"run={RUN}"]
    pinned = ["taskset", "-c", ",".join(map(str, cores))] if cores and shutil.which("taskset") else []
    done = subprocess.run([*pinned, *command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    try:
        return summary(model, number_format, processes, (RUN / "log.jsonl").read_text("utf-8"))
    except TooShortError as error:
        raise SystemExit(f"{error}; it ended with:\n{done.stderr[-1000:]}") from error


def summary(model: str, number_format: str, processes: int, log: str) -> Speed:
    """What log.jsonl says. Raises TooShortError."""
    records = [record for record in map(json.loads, log.splitlines()) if record["event"] == "training"]
    if len(records) < 2:
        raise TooShortError(f"{model}: only {2 * len(records)} updates in that time: give more --seconds")
    steady = records[max(1, int(WARM_UP * len(records))) :]
    found = [record["tokens_per_second"] for record in steady]
    tokens = (records[-1]["tokens"] - records[0]["tokens"]) / (records[-1]["update"] - records[0]["update"])
    waiting, padding = (statistics.mean(record[key] for record in steady) for key in ("waiting", "padding"))
    spread = statistics.median(found), max(found), min(found)
    return Speed(model, number_format, processes, *spread, len(found), tokens, waiting, padding)
