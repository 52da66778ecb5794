"""A run that was stopped, killed, torn or made longer ends as one that never was: same weights, same log."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from apart import ROOT, run
from equal_runs import assert_equal_runs, last, log
from safetensors.torch import load_file
from torch.nn import Parameter
from toy_training import SETTINGS, toy_trainer

from seq2seq.errors import TrainingError
from seq2seq.training.run_config import judged_otherwise

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "tests" / "kill_training.py"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    toy_trainer(folder).train()
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[int | None]]]:
    """Runs that were stopped by signals: their folder, and the exit codes of their processes (-9 for a killed one)."""
    folder = tmp_path_factory.mktemp("stopped")
    done = run(PROGRAM, [str(folder)])
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


@pytest.mark.parametrize("name", ["killed", "killed_anywhere"])
def test_killed_again_and_again(stopped: tuple[Path, dict[str, list[int | None]]], whole: Path, name: str) -> None:
    folder, codes = stopped
    assert codes[name].count(-9) >= 3 and codes[name][-1] == 0, codes
    assert_equal_runs(folder / name, whole)


def test_early_stopping_and_plateau_outlive_a_kill(
    stopped: tuple[Path, dict[str, list[int | None]]], tmp_path: Path
) -> None:
    folder, codes = stopped
    assert codes["killed_patience"].count(-9) >= 3 and codes["killed_patience"][-1] == 0, codes
    outcome = toy_trainer(tmp_path, replace(SETTINGS, updates=None, patience=2, validate_every=2)).train()
    assert "patience" in outcome.reason
    assert_equal_runs(folder / "killed_patience", tmp_path)


@pytest.mark.parametrize(("name", "code"), [("interrupted", 130), ("terminated", 143)])
def test_stopped_in_a_validation_by_a_signal(
    stopped: tuple[Path, dict[str, list[int | None]]], whole: Path, name: str, code: int
) -> None:
    folder, codes = stopped
    assert codes[name] == [code, 0]
    assert_equal_runs(folder / name, whole)


def test_a_torn_checkpoint_costs_only_time(tmp_path: Path, whole: Path) -> None:
    toy_trainer(tmp_path, replace(SETTINGS, updates=17)).train()
    os.truncate(last(tmp_path), last(tmp_path).stat().st_size // 2)
    # update 16 was before the last validation and the average of the shorter run, so nothing of them is left
    toy_trainer(tmp_path).train()
    assert log(tmp_path) == log(whole)
    ours, theirs = load_file(last(tmp_path)), load_file(last(whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_longer_budget_goes_on_where_the_run_ended(tmp_path: Path, whole: Path) -> None:
    toy_trainer(tmp_path, replace(SETTINGS, updates=15)).train()
    assert toy_trainer(tmp_path).train().update == 30
    ours, theirs = load_file(last(tmp_path)), load_file(last(whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    shorter_average = [record for record in log(tmp_path) if (record["event"], record["update"]) == ("average", 15)]
    assert [record for record in log(tmp_path) if record not in shorter_average] == log(whole)


def test_another_configuration_is_refused_by_name_unless_allowed(tmp_path: Path) -> None:
    toy_trainer(tmp_path, replace(SETTINGS, updates=5)).train()
    changed = replace(SETTINGS, label_smoothing=0.2, clip_norm=0.7)
    with pytest.raises(
        TrainingError, match=r"trainer\.clip_norm: was 0\.5, is 0\.7\n  trainer\.label_smoothing: was 0\.1, is 0\.2"
    ):
        toy_trainer(tmp_path, changed).train()
    with pytest.raises(TrainingError, match=r"\n  trainer\.clip_norm: was 0\.5, is 0\.7\nGive"):
        toy_trainer(tmp_path, replace(changed, allow_changed=("trainer.label_smoothing",))).train()
    assert toy_trainer(tmp_path, replace(changed, allow_changed=("trainer",))).train().update == 30
    assert toy_trainer(tmp_path, changed).train().update == 30  # the new one is now the run's own


@pytest.mark.parametrize(
    ("key", "now", "otherwise"),
    [
        ("search.beam_size", 5, True),
        ("validation.max_lines", 5, True),
        ("trainer.metric", "chrf", True),
        ("trainer.metric", "auto", False),
        ("translator.batch_tokens", 5, False),
        ("trainer.label_smoothing", 0.2, False),
    ],
)
def test_what_makes_scores_that_cannot_be_compared(key: str, now: object, otherwise: bool) -> None:
    node, name = key.split(".")
    assert judged_otherwise({node: {name: "bleu"}}, {node: {name: now}}) == otherwise


def test_averaging_may_begin_on_the_way(tmp_path: Path) -> None:
    toy_trainer(tmp_path, replace(SETTINGS, updates=5, ema_decay=None)).train()
    toy_trainer(tmp_path, replace(SETTINGS, updates=10, allow_changed=("trainer.ema_decay",))).train()
    tensors = load_file(last(tmp_path))
    assert not torch.equal(tensors["average/inner.weight"], tensors["weights/inner.weight"])


class Struck(dict[str, Parameter]):
    """Parameters that are gone through several times in a validation: a signal comes in the middle of one of them."""

    def __init__(self, parameters: Mapping[str, Parameter], walk: int) -> None:
        super().__init__(parameters)
        self.walk = walk

    def items(self) -> Iterator[tuple[str, Parameter]]:  # type: ignore[override]
        self.walk -= 1
        for number, item in enumerate(super().items()):
            if self.walk == 0 and number == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield item


@pytest.mark.parametrize("walk", [1, 2, 3], ids=["remembered", "lent", "handed back"])
def test_a_signal_in_the_middle_of_an_exchange_of_weights(tmp_path: Path, whole: Path, walk: int) -> None:
    """What the run goes on with, and ends with, are its own weights, not those that were validated."""
    trainer = toy_trainer(tmp_path)
    trainer.selection.parameters = Struck(trainer.selection.parameters, walk)
    assert trainer.train().exit_code == 128 + signal.SIGTERM
    toy_trainer(tmp_path).train()
    assert_equal_runs(tmp_path, whole)
