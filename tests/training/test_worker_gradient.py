"""Laws of shared work: processes change nothing but the time, and what happens to them is said."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toy_network import toy_batch, toy_model

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError, TrainingError
from seq2seq.training.criterion import Criterion, Loss
from seq2seq.training.distributed import parallel_gradient as workers_module
from seq2seq.training.distributed.parallel_gradient import WorkerGradient, missing_memory, worker_gradient
from seq2seq.training.gradient import Gradient, MicroBatch, SerialGradient
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.trainable import Trainable
from seq2seq.training.update import Updater

pytestmark = pytest.mark.slow

BATCHES = [
    toy_batch([[4, 6, 7, 8], [4, 9, 10]], [[4, 8, 7], [4, 10, 9, 6, 11]]),
    toy_batch([[5, 6]], [[5, 12]]),
    toy_batch([[4, 9, 9], [5, 7, 8, 6, 10]], [[4, 6], [5, 9, 8, 7]]),
]
UPDATES: list[Sequence[Batch]] = [BATCHES, BATCHES[:1], BATCHES[1:]]  # an epoch's last update may be short


class Picky(Likelihood):
    """An objective that the user's choice rules out for a text with word 12."""

    def __call__(self, network: Trainable, batch: Batch, criterion: Criterion, update: int) -> Loss:
        if (batch.source == 12).any():
            raise ConfigError("objective: this text has no verbs")
        return super().__call__(network, batch, criterion, update)


def part() -> MicroBatch:
    torch.manual_seed(3)
    return MicroBatch(toy_model(dropout=0.2), Picky(), Criterion(0.1), torch.float32, noise=True)


def trained(part: MicroBatch, gradient: Gradient) -> list[torch.Tensor]:
    """Sums and weights after some updates."""
    parameters = dict(part.model.named_parameters())
    optimizer = torch.optim.Adam(parameters.values(), lr=0.01)
    updater = Updater(part.model, optimizer, gradient, None, 1.0, seed=1)
    sums = [updater(batches, number, 0.01) for number, batches in enumerate(UPDATES, 1)]
    assert all(one.noise for one in sums[::2])  # of the updates of several batches
    return [torch.tensor(sums), *(one.detach().clone() for one in parameters.values())]


@pytest.fixture(scope="module")
def shared() -> MicroBatch:
    return part()


@pytest.fixture(scope="module")
def workers(shared: MicroBatch) -> Iterator[WorkerGradient]:
    """Two processes, which outlive what they are asked to do."""
    made = WorkerGradient(shared, 2, 3)
    yield made
    made.close()
    assert all(worker.process.exitcode is not None for worker in made.workers)


def test_two_processes_give_the_weights_of_one_bit_for_bit(shared: MicroBatch, workers: WorkerGradient) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = part()
        expected = trained(alone, SerialGradient(alone))
        shared.model.load_state_dict(part().model.state_dict())  # type: ignore[attr-defined]
        found = trained(shared, workers)
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    fresh = [one for _, one in part().model.named_parameters()]
    assert not torch.equal(expected[1], fresh[0])  # something was learnt


def test_too_little_shared_memory_is_known_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(4 * one.numel() for _, one in part().model.named_parameters())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=3 * size))
    monkeypatch.setattr(workers_module, "SHARED_MEMORY", Path("/"))
    assert missing_memory(part(), slots=2) == 0
    assert missing_memory(part(), slots=4) == 2 * size
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    said: list[str] = []
    assert isinstance(worker_gradient(part(), 4, said.append), SerialGradient)
    assert said and "threads do the work" in said[0]


def test_a_killed_worker_is_named() -> None:
    alone = WorkerGradient(part(), 1, 3)
    alone.workers[0].process.kill()
    alone.workers[0].process.join()
    with pytest.raises(TrainingError, match=r"worker 0 ended with code -9 .* lower trainer.cores"):
        alone(BATCHES, [1, 2, 3], 10, 1)
    alone.close()


def test_a_worker_that_fails_says_why(workers: WorkerGradient) -> None:
    wrong = toy_batch([[4, 999]], [[4, 6]])  # no such word
    with pytest.raises(TrainingError, match=r"(?s)worker 0 failed:.*index out of range"):
        workers([wrong], [1], 2, 1)


def test_a_worker_passes_on_what_the_user_can_mend_without_a_traceback(workers: WorkerGradient) -> None:
    with pytest.raises(ConfigError, match=r"^objective: this text has no verbs$"):
        workers([toy_batch([[4, 12]], [[4, 6]])], [1], 2, 1)
