"""Sweeps: every job in its own folder, the worst exit code, whoever does the jobs."""

import importlib.util
from pathlib import Path

import pytest
from apart import fresh
from small_run import SMALL, corpus

from seq2seq.cli import evaluate
from seq2seq.cli.app import CODES, main

pytestmark = pytest.mark.slow

SIDE_BY_SIDE = (
    "hydra/launcher=joblib",
    "hydra.launcher.n_jobs=2",
    "trainer.cores=2",  # jobs that have processes of their own
    "trainer.accumulation=2",
    "trainer.updates=2",
)


@pytest.mark.skipif(importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None, reason="needs [sweeps]")
def test_jobs_side_by_side_and_a_failure_is_told(toy_text: Path, tmp_path: Path) -> None:
    command = ["train", *corpus(toy_text), *SMALL, *SIDE_BY_SIDE, "run=runs/sweep", "seed=-1,2", "-m"]
    done = fresh(command, tmp_path)  # joblib's processes wait for what only a Python that ends by itself does
    assert done.returncode == 1 and done.stderr.count("error: ") == 1, done.stderr
    assert "seed: expected 0 or more, got -1" in done.stderr and "seed=-1: ended with exit code 1\n" in done.stderr
    assert [path.name for path in (tmp_path / "runs/sweep").iterdir()] == ["seed=2"]
    assert (tmp_path / "runs/sweep/seed=2/model/model.safetensors").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_failed_job_stops_no_other(toy_text: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = f"hypotheses=nowhere,{toy_text / 'test.de'}", f"references={toy_text / 'test.de'}"
    assert main(["evaluate", *files, "target=de", "-m"]) == 1
    said = capfd.readouterr()
    assert "100.0" in said.out and "hypotheses=nowhere: ended with exit code 1\n" in said.err


def test_a_signal_ends_the_whole_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = []

    def interrupted(target: str) -> int:
        jobs.append(target)
        return 143

    monkeypatch.setattr(evaluate, "run", interrupted)
    assert main(["evaluate", "target=de,en", "-m"]) == 143
    assert jobs == ["de"]


def test_exit_codes_of_an_earlier_sweep_do_not_count(tmp_path: Path, toy_text: Path) -> None:
    (tmp_path / CODES).mkdir()
    (tmp_path / CODES / "7").write_text("1 target=fr")
    files = f"hypotheses={toy_text / 'test.de'}", f"references={toy_text / 'test.de'}"
    assert main(["evaluate", *files, "target=de,en", f"hydra.sweep.dir={tmp_path}", "-m"]) == 0
