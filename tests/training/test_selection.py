"""Which weights are kept, averaged and shipped, with trainer.average_of=best and =last."""

import json
import os
import shutil
import signal
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from equal_runs import assert_equal_runs
from safetensors.torch import load_file
from torch import Tensor
from toy_training import SETTINGS, ToyModel, export, toy_trainer

from seq2seq.errors import TrainingError
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.run_state import State
from seq2seq.training.settings import Settings
from seq2seq.training.trainer import Outcome
from seq2seq.training.validation import Selection

pytestmark = pytest.mark.slow

LAST = replace(SETTINGS, average_of="last")


def selected(folder: Path, settings: Settings, scores: list[float]) -> tuple[Selection, State]:
    """After validations at updates 10, 20, ... whose weights are all 10, 20, ... and whose losses are given."""
    model, state = ToyModel(), State()
    losses = iter(scores)
    checkpoints = Checkpoints(folder / "checkpoints")
    selection = Selection(
        settings, model, None, lambda: {"loss": float(next(losses))}, export, folder / "model", checkpoints
    )
    for _ in range(len(scores) - 1):
        state.update += 10
        fill(model, state.update)
        found = selection.validate(nullcontext)
        selection.consider(state, found)
        checkpoints.keep_best(state.kept)
    return selection, state


def fill(model: ToyModel, value: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


def kept(folder: Path) -> list[int]:
    return sorted(int(path.stem.partition("-")[2]) for path in (folder / "checkpoints").glob("best-*"))


def shipped(folder: Path) -> float:
    found: Tensor = load_file(folder / "model" / "model.safetensors")["output_bias"]
    return float(found[0])


# losses of five validations and of the average; what is kept, averaged, shipped
@pytest.mark.parametrize(
    ("settings", "losses", "kept_updates", "average"),
    [
        (SETTINGS, [5, 1, 4, 3, 2, 0], [20, 40, 50], (20 + 40 + 50) / 3),
        (LAST, [5, 1, 4, 3, 2, 0], [20, 30, 40, 50], (30 + 40 + 50) / 3),
        (LAST, [5, 4, 3, 2, 1, 0], [30, 40, 50], (30 + 40 + 50) / 3),
        (LAST, [5, 1, 4, 3, 2, 9], [20, 30, 40, 50], 20),  # the average is worse: the best ships
        (replace(LAST, average_checkpoints=2), [1, 5, 4, 3, 2, 0], [10, 40, 50], 45),
    ],
)
def test_the_best_or_the_last_are_averaged_and_the_best_is_kept(
    tmp_path: Path, settings: Settings, losses: list[float], kept_updates: list[int], average: float
) -> None:
    selection, state = selected(tmp_path, settings, losses)
    assert kept(tmp_path) == kept_updates
    assert shipped(tmp_path) == state.best[0].update
    scores = selection.validate_average(state, nullcontext)
    assert scores == {"loss": losses[-1]}
    selection.export_average(state, scores)
    assert shipped(tmp_path) == pytest.approx(average)


@pytest.mark.parametrize("count", [0, 1])
def test_without_an_average_only_the_best_is_kept_and_shipped(tmp_path: Path, count: int) -> None:
    selection, state = selected(tmp_path, replace(LAST, average_checkpoints=count), [5, 1, 4, 3, 2, 0])
    assert kept(tmp_path) == ([20] if count == 0 else [20, 50])
    assert selection.validate_average(state, nullcontext) is None and shipped(tmp_path) == 20


def test_the_last_ones_outlive_a_kill(tmp_path: Path) -> None:
    toy_trainer(tmp_path / "whole", LAST).train()
    for limit in (7, 16, 23):
        trainer = toy_trainer(tmp_path / "parts", LAST)
        batches = trainer.batches.batches

        def failing(epoch: int, start: int = 0, limit: int = limit, batches: object = batches) -> object:
            for number, batch in enumerate(batches(epoch, start), start):  # type: ignore[operator]
                if epoch * 4 + number // 2 >= limit:
                    raise RuntimeError("killed")
                yield batch

        trainer.batches.batches = failing  # type: ignore[method-assign, assignment]
        with pytest.raises(RuntimeError, match="killed"):
            trainer.train()
    toy_trainer(tmp_path / "parts", LAST).train()
    assert_equal_runs(tmp_path / "parts", tmp_path / "whole")


def judged_by(folder: Path, text: str, updates: int, losses: list[float], **changes: object) -> Outcome:
    """A run that validates on a text of this name, and so finds these losses; it is ended by a signal for -1."""
    trainer = toy_trainer(folder, replace(SETTINGS, average_checkpoints=2, updates=updates, **changes))  # type: ignore[arg-type]
    trainer.data = {"valid": {"valid": {"pairs": 1, "text": text, "files": text}}}
    ahead = iter(losses)

    def validate() -> dict[str, float]:
        if (loss := next(ahead)) < 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"loss": float(loss)}

    trainer.selection.run_validation = validate
    outcome = trainer.train()
    assert list(ahead) == []
    return outcome


def test_weights_are_judged_anew_by_another_validation_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Or an easier text of before would keep the best place for ever, a harder one lose it at once."""
    judged_by(tmp_path, "easy", 10, [1, 2, 3])  # after 5 and 10 updates, and of their mean
    before = Checkpoints(tmp_path / "checkpoints").contents()[0]
    assert judged_by(tmp_path, "hard", 15, [40, -1], allow_changed=("data.valid",)).exit_code == 143
    assert Checkpoints(tmp_path / "checkpoints").contents()[0] == before
    judged_by(
        tmp_path, "hard", 15, [40, 30, 35, 38, 36], allow_changed=("data.valid",)
    )  # 5, 10, mean, 15, mean of 10 and 15
    assert "2 kept weights are judged by it anew" in capfd.readouterr().err
    state = Checkpoints(tmp_path / "checkpoints").contents()[0]["state"]
    assert state["best"] == [{"update": 10, "scores": {"loss": 30}}, {"update": 15, "scores": {"loss": 38}}]
    assert state["shipped"] == json.loads((tmp_path / "model" / "scores.json").read_text()) == {"loss": 30}
    judged_by(tmp_path, "hard", 20, [20, 25])
    assert "judged by it anew" not in capfd.readouterr().err


@pytest.mark.parametrize("losses", [[1, 2, 3], [1, 2, 0.5]], ids=["the best", "the mean"])
@pytest.mark.parametrize("updates", [10, 15], ids=["finished", "extended"])
def test_a_deleted_model_folder_is_written_again(tmp_path: Path, losses: list[float], updates: int) -> None:
    """The run is all that is needed: nobody has to train again for a folder that was deleted by mistake."""
    judged_by(tmp_path, "text", 10, losses)
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    shutil.rmtree(tmp_path / "model")
    judged_by(tmp_path, "text", updates, [] if updates == 10 else [9, 9])
    after = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    assert after == before


BLEU = replace(SETTINGS, metric="bleu")


@pytest.mark.parametrize(
    ("scores", "than", "better"),
    [
        ({"bleu": 2.0, "chrf": 1.0, "loss": 9.0}, {"bleu": 1.0, "chrf": 5.0, "loss": 1.0}, True),
        ({"bleu": 0.0, "chrf": 5.0, "loss": 9.0}, {"bleu": 0.0, "chrf": 1.0, "loss": 1.0}, True),
        ({"bleu": 0.0, "chrf": 5.0, "loss": 2.0}, {"bleu": 0.0, "chrf": 5.0, "loss": 1.0}, False),
        ({"bleu": 0.0, "chrf": 5.0, "loss": 1.0}, {"bleu": 0.0, "chrf": 5.0, "loss": 2.0}, True),
        ({"bleu": 1.0, "chrf": 5.0, "loss": 1.0}, {"bleu": 1.0, "chrf": 5.0, "loss": 1.0}, False),
        ({"bleu": 1.0, "chrf": 9.0, "loss": 1.0}, {"bleu": float("nan"), "chrf": 9.0, "loss": 1.0}, True),
        ({"bleu": 1.0, "chrf": 9.0, "loss": 1.0}, {"bleu": 1.0}, False),
        ({"bleu": 1.0, "chrf": 9.0, "loss": 1.0}, 1.0, False),
        ({"bleu": 1.1, "chrf": 9.0, "loss": 1.0}, 1.0, True),
    ],
)
def test_of_equals_chrf_decides_and_then_the_loss(
    scores: dict[str, float], than: dict[str, float] | float, better: bool
) -> None:
    assert BLEU.better(scores, than) == better


def silent(chrf: list[float]) -> list[dict[str, float]]:
    """Scores of validations and of the average, of which BLEU sees nothing."""
    return [{"bleu": 0.0, "chrf": one, "loss": 1.0} for one in chrf]


def test_a_score_that_stays_the_same_is_said_once_and_decides_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """chrF rises for five validations and then falls: patience 2 must not end the run before."""
    trainer = toy_trainer(tmp_path, replace(BLEU, patience=2, updates=100))
    scores = iter(silent([1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0, 0.0]))
    trainer.selection.run_validation = lambda: next(scores)
    outcome = trainer.train()
    assert outcome.update == 7 * SETTINGS.validate_every and outcome.scores["chrf"] == 5.0
    said = capsys.readouterr().err
    assert said.count("bleu was 0.000 in 3 validations in a row") == 1
    assert "chrf and then loss does" in said


def test_a_score_that_moves_is_not_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = toy_trainer(tmp_path, BLEU)
    scores = iter([0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0])
    trainer.selection.run_validation = lambda: {"bleu": next(scores), "loss": 1.0}
    trainer.train()
    assert "in a row" not in capsys.readouterr().err


def test_the_metric_of_a_run_is_decided_when_it_begins(tmp_path: Path) -> None:
    """`auto` goes on with it, whatever it would be now; naming another one is refused."""

    def run(metric: str, asked: str, updates: int) -> str:
        trainer = toy_trainer(tmp_path, replace(SETTINGS, metric=metric, updates=updates))
        trainer.selection.run_validation = lambda: {"bleu": 1.0, "loss": 1.0, "chrf": 2.0}
        trainer.configuration = {**trainer.configuration, "trainer": {**vars(trainer.settings), "metric": asked}}
        trainer.train()
        written: str = yaml.safe_load((tmp_path / "config.yaml").read_text("utf-8"))["trainer"]["metric"]
        return written

    assert run("chrf", "auto", 5) == "chrf"
    assert run("bleu", "auto", 10) == "chrf"
    assert run("chrf", "chrf", 15) == "chrf"
    with pytest.raises(TrainingError, match=r"trainer\.metric: was 'chrf', is 'bleu'"):
        run("bleu", "bleu", 20)
