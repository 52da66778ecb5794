"""Law of what a killed translation depends on: all that changes its output, and nothing else."""

import json
import os
import shutil
from pathlib import Path

import pytest
from apart import ROOT

from seq2seq.cli.translate import depends_on
from seq2seq.model_folder.folder import amend

FOLDER = ROOT / "tests" / "old_models/0.1"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return shutil.copytree(FOLDER, tmp_path / "model")


def key(model: Path, **asked: object) -> str:
    text = model.parent / "in.txt"
    if not text.exists():
        text.write_text("a\n")
    return depends_on([model], [text], {"output_format": "text", **asked})


def test_scores_that_evaluate_adds_begin_nothing_anew(model: Path) -> None:
    before = key(model)
    amend(model, lambda config: {**config, "scores": {"test": {"bleu": 12.3}}})
    (model / "evaluation.json").write_text("{}")
    (model / "hypotheses").mkdir()
    (model / ".out.txt.partial").write_text("under way")
    (model / "model.safetensors").touch()
    assert (model / "README.md").exists() and "12.3" in (model / "config.json").read_text()
    assert key(model) == before


def test_other_weights_another_text_and_other_wishes_do(model: Path) -> None:
    keys = {key(model), key(model, output_format="json")}
    weights = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    keys.add(key(model))
    (model.parent / "in.txt").write_text("a\nb\n")
    keys.add(key(model))
    stat = (model.parent / "in.txt").stat()
    (model.parent / "in.txt").write_text("a\nc\n")  # as large, and with the same time, as `cp -p` makes it
    os.utime(model.parent / "in.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    keys.add(key(model))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "directions": config["directions"][:1] * 2}))
    keys.add(key(model))
    assert len(keys) == 6
