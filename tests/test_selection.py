"""Which weights are kept, averaged and shipped, with trainer.average_of=best and =last."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from equal_runs import assert_equal_runs
from safetensors.torch import load_file
from torch import Tensor
from toy_training import SETTINGS, ToyModel, export, toy_trainer

from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.selection import Selection
from seq2seq.training.settings import Settings
from seq2seq.training.state import State

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
        found = selection.validate()
        selection.consider(state, settings.judge(found), found)
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
        (replace(LAST, average=2), [1, 5, 4, 3, 2, 0], [10, 40, 50], 45),
    ],
)
def test_the_best_or_the_last_are_averaged_and_the_best_is_kept(
    tmp_path: Path, settings: Settings, losses: list[float], kept_updates: list[int], average: float
) -> None:
    selection, state = selected(tmp_path, settings, losses)
    assert kept(tmp_path) == kept_updates
    assert shipped(tmp_path) == state.best[0].update
    scores = selection.validate_average(state)
    assert scores == {"loss": losses[-1]}
    selection.ship_average(state, scores)
    assert shipped(tmp_path) == pytest.approx(average)


@pytest.mark.parametrize("count", [0, 1])
def test_without_an_average_only_the_best_is_kept_and_shipped(tmp_path: Path, count: int) -> None:
    selection, state = selected(tmp_path, replace(LAST, average=count), [5, 1, 4, 3, 2, 0])
    assert kept(tmp_path) == ([20] if count == 0 else [20, 50])
    assert selection.validate_average(state) is None and shipped(tmp_path) == 20


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
