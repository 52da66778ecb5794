"""What a training run does: updates, budgets, early stopping, the weights it ships, and what it refuses."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from toy_training import SCHEDULE, SETTINGS, ToyBatches, ToyModel, toy_batch, toy_trainer

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError, TrainingError
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.criterion import Criterion
from seq2seq.training.gradient import MicroBatch, SerialGradient
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.run_config import run_lock
from seq2seq.training.schedule.cosine import Cosine
from seq2seq.training.settings import Settings
from seq2seq.training.update import ExponentialAverage, Updater, gradient_noise
from seq2seq.training.validation import ValidationLoss

pytestmark = pytest.mark.slow


def records(folder: Path, event: str) -> list[dict[str, float]]:
    lines = (folder / "log.jsonl").read_text("utf-8").split("\n")[:-1]
    return [record for line in lines if (record := json.loads(line))["event"] == event]


def updater(model: ToyModel, average: ExponentialAverage | None = None) -> Updater:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    return Updater(
        model,
        optimizer,
        SerialGradient(MicroBatch(model, Likelihood(), Criterion(0.1), torch.float32)),
        average,
        None,
        seed=1,
    )


def joined(batches: list[Batch]) -> Batch:
    return Batch(*(torch.cat(tensors) for tensors in zip(*batches, strict=True)))


def test_accumulated_batches_equal_one_batch() -> None:
    parts = [toy_batch(1), toy_batch(2, rows=9)]
    models = [ToyModel(), ToyModel()]
    sums = []
    for model, batches in zip(models, (parts, [joined(parts)]), strict=True):
        model.dropout.p = 0.0
        sums.append(updater(model)(batches, 1, learning_rate=1.0))
    torch.testing.assert_close(models[0].state_dict(), models[1].state_dict())
    assert not torch.equal(models[0].output_bias, ToyModel().output_bias)
    assert sums[0] == pytest.approx(sums[1])


def test_dropout_is_a_function_of_the_update_alone() -> None:
    def after(update: int) -> Tensor:
        model = ToyModel()
        updater(model)([toy_batch(1)], update, learning_rate=1.0)
        return model.output_weight

    first = after(1)
    torch.rand(3)
    assert torch.equal(first, after(1))
    assert not torch.equal(first, after(2))


def test_an_update_without_finite_gradient_changes_nothing() -> None:
    model = ToyModel()
    average = ExponentialAverage(0.5, dict(model.named_parameters()))
    update = updater(model, average)
    model.output_bias.data[0] = float("nan")
    before = {name: tensor.clone() for name, tensor in update.tensors().items()}
    assert update([toy_batch(1)], 1, learning_rate=1.0).skipped
    torch.testing.assert_close(dict(update.tensors()), before, rtol=0, atol=0, equal_nan=True)
    model.output_bias.data[0] = 0.0
    assert not update([toy_batch(1)], 1, learning_rate=1.0).skipped


def test_gradients_that_stay_non_finite_end_the_run(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path)
    with torch.no_grad():
        trainer.updater.parameters["output_bias"].fill_(float("nan"))
    with pytest.raises(TrainingError, match="not finite in 20 updates in a row"):
        trainer.train()


def test_validation_loss_does_not_depend_on_the_batches_and_keeps_the_mode() -> None:
    model = ToyModel()
    parts = [toy_batch(1), toy_batch(2, rows=9)]
    apart = ValidationLoss(model, lambda: parts, torch.float32)()
    together = ValidationLoss(model, lambda: [joined(parts)], torch.float32)()
    assert apart == pytest.approx(together)
    assert model.training


@pytest.mark.parametrize(
    ("change", "reason", "update"),
    [
        ({"updates": 4}, "trainer.updates=4", 4),
        ({"updates": None, "epochs": 2.0}, "trainer.epochs=2.0", 8),
        ({"updates": None, "hours": 1e-9}, "trainer.hours=1e-09", 1),
        ({"updates": 4, "epochs": 9.0}, "trainer.updates=4", 4),
    ],
)
def test_the_first_budget_to_be_used_up_ends_the_run(
    tmp_path: Path, change: dict[str, float], reason: str, update: int
) -> None:
    outcome = toy_trainer(tmp_path, replace(SETTINGS, **change)).train()  # type: ignore[arg-type]
    assert (outcome.update, outcome.exit_code) == (update, 0) and reason in outcome.reason
    assert records(tmp_path, "validation")[-1]["update"] == update


def test_patience_ends_the_run(tmp_path: Path) -> None:
    settings = replace(SETTINGS, updates=None, patience=3, metric="bleu", validate_every=2)
    trainer = toy_trainer(tmp_path, settings)
    scores = iter([1.0, 3.0, 2.0, 3.0, 1.0, 5.0])
    trainer.selection.run_validation = lambda: {"bleu": next(scores)}
    trainer.settings = trainer.selection.settings = replace(settings, average_checkpoints=0)
    outcome = trainer.train()
    assert outcome.update == 10 and "trainer.patience=3" in outcome.reason
    assert outcome.scores == {"bleu": 3.0}


def test_the_best_weights_ship(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path)
    trainer.train()
    validations = [record["scores"]["loss"] for record in records(tmp_path, "validation")]  # type: ignore[index]
    averages = [record["scores"]["loss"] for record in records(tmp_path, "average")]  # type: ignore[index]
    assert len(averages) == 1 and len(validations) == 6
    model = ToyModel()
    model.load_state_dict(load_file(tmp_path / "model" / "model.safetensors"))
    shipped = ValidationLoss(model, lambda: [toy_batch(-1), toy_batch(-2)], torch.float32)()
    assert shipped == min(*validations, *averages)
    assert json.loads((tmp_path / "model" / "scores.json").read_text()) == {"loss": shipped}


def test_the_average_ships_only_where_it_is_better(tmp_path: Path) -> None:
    for better in (True, False):
        trainer = toy_trainer(tmp_path / str(better), replace(SETTINGS, metric="bleu", updates=15))
        scores = iter([2.0, 3.0, 1.0, 4.0 if better else 2.5])
        trainer.selection.run_validation = lambda scores=scores: {"bleu": next(scores)}  # type: ignore[misc]
        trainer.train()
        shipped = json.loads((tmp_path / str(better) / "model" / "scores.json").read_text())
        assert shipped == {"bleu": 4.0 if better else 3.0}


def test_without_averages_the_weights_themselves_are_validated(tmp_path: Path) -> None:
    trainer = toy_trainer(tmp_path, replace(SETTINGS, ema_decay=None, average_checkpoints=0, updates=5))
    trainer.train()
    last = load_file(tmp_path / "checkpoints" / "last-00000005.safetensors")
    shipped = load_file(tmp_path / "model" / "model.safetensors")
    assert torch.equal(last["weights/inner.weight"], shipped["inner.weight"])
    assert not any(name.startswith("average") for name in last)


def test_a_finished_run_says_so_and_trains_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy_trainer(tmp_path).train()
    before = (tmp_path / "log.jsonl").read_bytes()
    trainer = toy_trainer(tmp_path)
    trainer.batches = NoBatches()
    capsys.readouterr()
    assert trainer.train().update == 30
    assert (tmp_path / "log.jsonl").read_bytes() == before
    said = capsys.readouterr().err
    assert "is finished after update 30" in said and "trainer.updates=30 is used up" in said and "continues" in said


class NoBatches(ToyBatches):
    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        raise AssertionError("a finished run asked for data")


def test_an_unknown_metric_is_named_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"trainer\.metric: expected one of loss, got bleu"):
        toy_trainer(tmp_path, replace(SETTINGS, metric="bleu")).train()


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with run_lock(tmp_path), pytest.raises(TrainingError, match="another process is training there"):
        toy_trainer(tmp_path).train()


def test_a_schedule_that_follows_the_budget_needs_one(tmp_path: Path) -> None:
    endless = replace(SETTINGS, updates=None, patience=3)
    with pytest.raises(ConfigError, match=r"set trainer\.updates"):
        toy_trainer(tmp_path, endless, Cosine(1, 0.1))
    assert toy_trainer(tmp_path, endless, SCHEDULE)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"updates": 0}, "updates"),
        ({"hours": -1.0}, "hours"),
        ({"accumulation": 0}, "accumulation"),
        ({"average_checkpoints": -1}, "average_checkpoints"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"updates": None}, "updates"),
    ],
)
def test_impossible_settings_are_refused_by_name(change: Mapping[str, float], key: str) -> None:
    values: dict[str, object] = {**vars(SETTINGS), **change}
    with pytest.raises(ConfigError, match=rf"trainer.*{key}"):
        Settings(**values)  # type: ignore[arg-type]


def test_every_kept_checkpoint_finds_the_weights_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the newest be damaged, the one before it goes on, with the best weights of its own time."""
    named: set[int] = set()
    keep = Checkpoints.keep_best

    def keep_and_look(checkpoints: Checkpoints, updates: Iterable[int]) -> None:
        keep(checkpoints, updates)
        for path in checkpoints.folder.glob("last-*"):
            with safe_open(path, framework="pt") as file:
                best = json.loads(file.metadata()["content"])["state"]["best"]
            for one in best:
                named.add(one["update"])
                checkpoints.load_best(one["update"])

    monkeypatch.setattr(Checkpoints, "keep_best", keep_and_look)
    toy_trainer(tmp_path, replace(SETTINGS, average_checkpoints=1, checkpoint_minutes=9.0)).train()
    assert len(named) > 2


def test_lines_of_a_skipped_update_are_written_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = toy_trainer(tmp_path, replace(SETTINGS, updates=9))
    gradient = trainer.micro_batch.objective
    trainer.micro_batch.objective = lambda network, batch, criterion, update: (  # type: ignore[assignment]
        (loss := gradient(network, batch, criterion, update))._replace(
            smoothed=loss.smoothed * (float("nan") if update == 5 else 1.0)
        )
    )
    assert trainer.train().update == 9
    (record,) = records(tmp_path, "skipped")
    assert record["update"] == 5
    (path,) = (tmp_path / "skipped").iterdir()
    assert path.name == "00000005.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    batches = list(ToyBatches().batches(1, 0))[:2]
    assert lines == [
        {"source": source, "target": target} for batch in batches for source, target in ToyBatches().texts(batch)
    ]
    assert "update 5: skipped" in capsys.readouterr().err


def test_updates_may_be_added_to_a_finished_run(tmp_path: Path) -> None:
    toy_trainer(tmp_path / "one", replace(SETTINGS, updates=20)).train()
    added = replace(SETTINGS, updates="+10")
    assert toy_trainer(tmp_path / "one", added).train().update == 30
    toy_trainer(tmp_path / "two", replace(SETTINGS, updates=20)).train()
    longer = toy_trainer(tmp_path / "two", replace(SETTINGS, updates=30)).train()
    assert longer.update == 30
    ours, theirs = (load_file(tmp_path / run / "checkpoints/last-00000030.safetensors") for run in ("one", "two"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert "updates: 30" in (tmp_path / "one" / "config.yaml").read_text()
    assert toy_trainer(tmp_path / "one", added).train().update == 40  # finished again, so again as many


def test_updates_added_to_a_run_that_was_stopped_are_not_added_again(tmp_path: Path) -> None:
    toy_trainer(tmp_path, replace(SETTINGS, updates=10)).train()
    added = replace(SETTINGS, updates="+15")
    trainer = toy_trainer(tmp_path, added)
    trainer.batches = EndsInError()
    with pytest.raises(OSError, match="the disk is gone"):
        trainer.train()
    with pytest.raises(TrainingError, match=r"extends finished runs only, and this one stopped after update 1\d"):
        toy_trainer(tmp_path, replace(SETTINGS, updates="+16")).train()
    assert toy_trainer(tmp_path, added).train().update == 25


class EndsInError(ToyBatches):
    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        if epoch > 3:
            raise OSError("the disk is gone")
        return super().batches(epoch, start)


def test_only_a_number_can_be_added() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.updates: expected a number, or \+NUMBER.*got 5k"):
        replace(SETTINGS, updates="5k")


def test_the_gradient_noise_of_known_gradients_is_found() -> None:
    """Mean gradients of n tokens drawn with mean g and variance v a coordinate: |g|^2 + d v / n on average."""
    draw = torch.Generator().manual_seed(5)
    true, deviation, counts = torch.full((400,), 0.3), 2.0, [10, 20, 40]
    signals, noises = [], []
    for _ in range(300):
        means = [true + deviation / count**0.5 * torch.randn(400, generator=draw) for count in counts]
        whole = sum(count * mean for count, mean in zip(counts, means, strict=True)) / sum(counts)
        small = sum(float(mean.square().sum()) for mean in means) / len(means)
        assert isinstance(whole, Tensor)
        signal, noise = gradient_noise(small, float(whole.square().sum()), counts)
        signals.append(signal)
        noises.append(noise)
    assert sum(signals) / 300 == pytest.approx(float(true.square().sum()), rel=0.05)
    assert sum(noises) / 300 == pytest.approx(400 * deviation**2, rel=0.05)
    assert gradient_noise(3.0, 2.0, [10]) == (0.0, 0.0)  # of a single batch nothing can be told


def test_the_noise_is_that_of_mean_gradients() -> None:
    batch = toy_batch(1)
    model = ToyModel()
    model.dropout.p = 0.0
    part = MicroBatch(model, Likelihood(), Criterion(0.1), torch.float32, noise=True)
    count = int(batch.target_mask[:, 1:].sum())
    squares = part(batch, 1, 7 * count, 1)[4]  # one batch of seven of an update
    for parameter in model.parameters():
        parameter.grad = None
    part(batch, 1, count, 1)
    found = sum(float(one.grad.double().square().sum()) for one in model.parameters() if one.grad is not None)
    assert float(squares) == pytest.approx(found, rel=1e-5)


def test_the_noise_is_logged_where_it_is_asked_for_and_changes_nothing(tmp_path: Path) -> None:
    toy_trainer(tmp_path / "with", replace(SETTINGS, log_gradient_noise=True)).train()
    toy_trainer(tmp_path / "without").train()
    assert all("gradient_noise" in one for one in records(tmp_path / "with", "training"))
    assert not any("gradient_noise" in one for one in records(tmp_path / "without", "training"))
    ours, theirs = (load_file(tmp_path / run / "checkpoints/last-00000030.safetensors") for run in ("with", "without"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
