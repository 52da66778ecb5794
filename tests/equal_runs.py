"""When two runs are the same: weights, moments, averages and log, and no file more or less."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from seq2seq.training.run_logger import TIME_FIELDS


def log(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "log.jsonl").read_text("utf-8").split("\n")[:-1]
    return [{name: value for name, value in json.loads(line).items() if name not in TIME_FIELDS} for line in lines]


def last(folder: Path) -> Path:
    return max((folder / "checkpoints").glob("last-*"))


def state(folder: Path) -> dict[str, object]:
    with safe_open(last(folder), framework="pt") as file:
        found: dict[str, object] = json.loads(file.metadata()["content"])["state"]
    return {name: value for name, value in found.items() if name not in (*TIME_FIELDS, "interval")}


def assert_equal_runs(one: Path, other: Path) -> None:
    """Weights, moments and averages bit for bit; state and log but for times; the model that ships."""
    assert log(one) == log(other)
    assert state(one) == state(other)
    assert files_of(one) == files_of(other)
    names = sorted(path.name for path in (one / "checkpoints").glob("best-*"))
    files = [last(one).relative_to(one), Path("model/model.safetensors"), *(Path("checkpoints") / n for n in names)]
    for file in files:
        ours, theirs = load_file(one / file), load_file(other / file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), file


def files_of(folder: Path) -> list[str]:
    """All files, TensorBoard's and the older checkpoint aside: its number depends on when the run was stopped."""
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    return [one for one in files if not one.startswith("events.out") and "checkpoints/last-" not in one]
