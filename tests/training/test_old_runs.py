"""Runs of older versions, as these left them in old_runs/VERSION: they go on as they would have then."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml
from apart import ROOT

from seq2seq.training.run_config import ADDED

pytestmark = pytest.mark.slow

STORED = ROOT / "tests" / "old_runs"


@pytest.mark.parametrize("version", sorted(path.name for path in STORED.iterdir()))
def test_a_run_of_an_older_version_goes_on(
    version: str, seq2seq: Callable[..., CompletedProcess[str]], toy_text: Path, tmp_path: Path
) -> None:
    """`continued.jsonl` is the log of the version itself going on to the end."""
    shutil.copytree(STORED / version, tmp_path / "run")
    shutil.copytree(toy_text, tmp_path / "text")
    expected = (tmp_path / "run" / "continued.jsonl").read_text("utf-8").splitlines()
    small = "tokenizer.vocab_size=30 tokenizer.byte_fallback=false model.width=8 model.embedding=8 encoder.layers=1"
    plain = "decoder.layers=1 encoder.feed_forward=0 decoder.feed_forward=0 attention=dot trainer.average_checkpoints=0"
    budget = "loader.max_tokens=200 validation.max_lines=4 trainer.updates=9 trainer.validate_every=3 schedule.warmup=2"
    exact = "trainer.precision=fp32 trainer.cores=1 corpus.path=text corpus.directions=[en-de] run=run"
    done = seq2seq(["train", "corpus=files", *f"{small} {plain} {budget} {exact}".split()], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "resuming after update 6" in done.stderr
    found = (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines()
    for one, other in zip(found, expected, strict=True):
        record, wanted = json.loads(one), json.loads(other)
        assert (record["event"], record["update"]) == (wanted["event"], wanted["update"])
        assert record["scores"]["loss"] == pytest.approx(wanted["scores"]["loss"], rel=1e-4)


@pytest.mark.parametrize("version", sorted(path.name for path in STORED.iterdir()))
def test_keys_are_called_new_only_where_they_are(version: str) -> None:
    before = yaml.safe_load((STORED / version / "config.yaml").read_text("utf-8"))
    for key in ADDED:
        node = before
        for part in key.split("."):
            node = node.get(part, {}) if isinstance(node, dict) else {}
        assert node == {}, key
