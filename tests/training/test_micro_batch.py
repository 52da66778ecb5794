"""Never out of memory by surprise: the largest batch comes first, and one that does not fit is cut, not lost."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from toy_training import SETTINGS, ToyBatches, ToyModel, toy_batch, toy_trainer

from seq2seq.data.loader.batch import Batch
from seq2seq.device import is_out_of_memory, tune_reading, tune_search
from seq2seq.errors import TrainingError
from seq2seq.training.criterion import Criterion
from seq2seq.training.gradient import MicroBatch, SerialGradient, positions, split
from seq2seq.training.objective.likelihood import Likelihood

pytestmark = pytest.mark.slow


class SmallMemory(ToyModel):
    """Runs out of memory in the middle of batches of more than `room` places, after it has used some parameters."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.dropout.p = 0.0
        self.room = room
        self.largest = 0

    def forward(self, batch: Batch) -> Tensor:
        features = super().forward(batch)
        self.largest = max(self.largest, positions(batch))
        if positions(batch) > self.room:
            features.register_hook(no_memory)
        return features


def no_memory(gradient: Tensor) -> None:
    torch.empty(1 << 60)


def gradients(part: MicroBatch, batches: list[Batch]) -> tuple[Tensor, list[Tensor]]:
    sums = SerialGradient(part)(batches, range(len(batches)), 50, 1)
    found = [one.grad for one in part.parameters if one.grad is not None]
    for parameter in part.parameters:
        parameter.grad = None
    return sums, found


@pytest.mark.parametrize("room", [48, 24, 12])  # places of 4, 2 and 1 row
def test_a_batch_that_does_not_fit_is_cut_and_gives_the_same_gradient(room: int) -> None:
    batches = [toy_batch(1, rows=7), toy_batch(2, rows=3), toy_batch(3, rows=8)]
    model = SmallMemory(room)
    part = MicroBatch(model, Likelihood(), Criterion(0.1), torch.float32)
    sums, found = gradients(part, batches)
    expected_sums, expected = gradients(
        MicroBatch(SmallMemory(10**9), Likelihood(), Criterion(0.1), torch.float32), batches
    )
    assert sums[3] >= sum(len(split(batch, float(room))) - 1 for batch in batches) > 0
    torch.testing.assert_close(sums[:3], expected_sums[:3])
    torch.testing.assert_close(found, expected)
    model.largest = 0
    gradients(part, batches)
    assert model.largest <= room  # what was learnt about memory is not tried again


def test_a_single_row_that_does_not_fit_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(TrainingError, match=r"a batch of 1 rows, 6 source and 6 target ids.*lower loader.max_tokens"):
        gradients(MicroBatch(SmallMemory(11), Likelihood(), Criterion(0.1), torch.float32), [toy_batch(1)])


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError) as caught:
        no_memory(torch.zeros(1))
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))


class LargestKnown(ToyBatches):
    def largest_batch(self, epoch: int) -> Batch:
        """Larger than all that are trained on."""
        return toy_batch(1, rows=64)


def test_the_largest_batch_is_tried_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = toy_trainer(tmp_path / "tried")
    trainer.batches = LargestKnown()
    seen: list[int] = []
    trainer.micro_batch.model.register_forward_hook(lambda model, batch, out: seen.append(len(batch[0].target)))  # type: ignore[attr-defined]
    trainer.micro_batch.room = 400.0
    trainer.train()
    assert seen[:4] == [32, 32, 32, 32] and set(seen[4:]) == {4}
    assert "memory does not hold the largest batch: it was cut 2 times" in capsys.readouterr().err
    toy_trainer(tmp_path / "not").train()
    paths = [tmp_path / run / "checkpoints" / f"last-{SETTINGS.updates:08d}.safetensors" for run in ("tried", "not")]
    ours, theirs = map(load_file, paths)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_cuts_are_told_once_and_counted_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = toy_trainer(tmp_path)
    trainer.micro_batch.room = 30.0  # of the 48 places of every batch
    trainer.train()
    said = capsys.readouterr().err
    assert said.count("memory ran short") == 1 and "update 1: memory ran short; its batches were cut 2 times" in said
    records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    cuts = [record["cuts"] for record in records if record["event"] == "training"]
    assert sum(cuts) == 2 * 30 - 30 // 4  # two batches an update, but one in every fourth, the last of an epoch


def test_a_search_keeps_little_of_each_shape_unless_somebody_asked_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LRU_CACHE_CAPACITY", raising=False)
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "512")
    tune_search()
    assert os.environ["LRU_CACHE_CAPACITY"] == "32"
    tune_reading()
    assert os.environ["LRU_CACHE_CAPACITY"] == "32", "whoever comes first is right"
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "512"
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        monkeypatch.delenv(name)
    tune_reading()
    assert os.environ["LRU_CACHE_CAPACITY"] == os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "16"
