"""Processes that share the weights, each computing the gradient of some of an update's batches on one core.

Threads inside every small product wait for each other some thousand times an update, and for every other program on the
machine; processes wait for each other once.
"""

import multiprocessing
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing
from torch import Tensor
from torch.nn import Parameter

from seq2seq.data.loader.batch import Batch
from seq2seq.device import tune_memory
from seq2seq.errors import TrainingError
from seq2seq.io.process_pool import Handler, Worker, WorkerExit, WorkerFailure, close_workers
from seq2seq.training.distributed.process_group import ProcessGroup
from seq2seq.training.gradient import Gradient, MicroBatch, SerialGradient, Sums
from seq2seq.training.trainable import Stateful

SHARED_MEMORY = Path("/dev/shm")  # where Linux keeps it; containers often have 64 MB


def worker_gradient(micro_batch: MicroBatch, slots: int, say: Callable[[str], None]) -> Gradient:
    """Worker processes if an update has several batches and the CPU several cores, else this process."""
    count = min(torch.get_num_threads(), slots)
    if count < 2 or micro_batch.model.output_weight.device.type != "cpu":
        return SerialGradient(micro_batch)
    if missing := missing_memory(micro_batch, slots):
        lack = f"{SHARED_MEMORY} lacks {missing / 1e6:,.0f} MB for a process per core"
        say(f"{lack}: threads do the work, more slowly (docker: --shm-size=1g)")
        return SerialGradient(micro_batch)
    return WorkerGradient(micro_batch, count, slots)


class WorkerGradient:
    """`count` processes for updates of at most `slots` batches.

    Every batch's gradient has a slot, and the slots are summed in order: the number of processes changes nothing, bit
    for bit. They end with this process, however it ends.
    """

    def __init__(self, micro_batch: MicroBatch, count: int, slots: int) -> None:
        self.parameters = micro_batch.parameters
        for parameter in self.parameters:
            parameter.data.share_memory_()  # type: ignore[no-untyped-call]
        size = sum(parameter.numel() for parameter in self.parameters)
        self.slots = [torch.zeros(size).share_memory_() for _ in range(slots)]  # type: ignore[no-untyped-call]
        self.workers: list[Worker] = []
        self.carries = isinstance(micro_batch.model, Stateful)
        context = multiprocessing.get_context("spawn")
        try:
            for rank in range(min(count, slots)):
                begin = partial(_begin, micro_batch, self.slots, rank, min(count, slots))
                self.workers.append(Worker(context, begin))
        except BaseException:
            self.close()
            raise

    def __call__(self, batches: Sequence[Batch], seeds: Sequence[int], tokens: int, update: int) -> Sums:
        """Raises TrainingError with a worker's own words when it failed or vanished."""
        for slot, (batch, seed) in enumerate(zip(batches, seeds, strict=True)):
            arrays = [tensor.numpy() for tensor in batch]
            self._send(slot % len(self.workers), (slot, arrays, seed, tokens, update))
        sums, total = [], self.slots[0]
        for slot in range(len(batches)):
            sums.append(torch.tensor(self._receive(slot % len(self.workers)), dtype=torch.float64))
            if slot > 0:
                total += self.slots[slot]  # while slower workers are still at it
        for parameter, gradient in zip(self.parameters, _views(total, self.parameters), strict=True):
            parameter.grad = gradient
        return torch.stack(sums).sum(0)

    def carried(self) -> list[list[Tensor]]:
        """The states that the processes carry, each those of its own batches."""
        if not self.carries:
            return []
        result: list[list[Tensor]] = []
        for rank in range(len(self.workers)):
            self._send(rank, None)
            result += [[torch.from_numpy(one) for one in batch] for batch in self._receive(rank)]
        return result

    def close(self) -> None:
        """End the processes: those that do not end by themselves, hung or stopped, are killed."""
        close_workers(self.workers)

    def _send(self, rank: int, message: object) -> None:
        try:
            self.workers[rank].send(message)
        except WorkerExit as error:
            raise self._exit(rank, error) from None

    def _receive(self, rank: int) -> Any:
        try:
            return self.workers[rank].receive()
        except WorkerExit as error:
            raise self._exit(rank, error) from None
        except WorkerFailure as error:
            raise TrainingError(f"worker {rank} failed:\n{error}") from None

    def _exit(self, rank: int, error: WorkerExit) -> TrainingError:
        return TrainingError(
            f"worker {rank} {error}: the same command resumes from the last checkpoint; lower trainer.cores or "
            "loader.max_tokens if it happens again"
        )


def missing_memory(part: MicroBatch, slots: int) -> int:
    """Bytes of shared memory that workers would need beyond what is free: 0 where they can run."""
    needed = (slots + 1) * sum(4 * parameter.numel() for parameter in part.parameters)
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else needed
    return max(0, needed - free)


def _begin(part: MicroBatch, slots: list[Tensor], rank: int, count: int) -> Handler:
    """In worker `rank` of `count`: a batch's gradient goes into a slot; for None, what the process carries."""
    tune_memory()
    torch.set_num_threads(1)
    if isinstance(part.model, Stateful):
        part.model.take(rank, count)
    return lambda message: _carried(part) if message is None else _computed(part, slots, *message)


def _computed(
    part: MicroBatch, slots: list[Tensor], slot: int, arrays: Sequence[Any], seed: int, tokens: int, update: int
) -> Any:
    """The sums of a batch, after its gradient went into the slot."""
    sums = part(Batch(*map(torch.from_numpy, arrays)), seed, tokens, update).tolist()
    for parameter, view in zip(part.parameters, _views(slots[slot], part.parameters), strict=True):
        view.zero_() if parameter.grad is None else view.copy_(parameter.grad)
        parameter.grad = None
    return sums


def _carried(part: MicroBatch) -> Any:
    """What this process carries, as arrays: a tensor would be sent through shared memory, which may be short."""
    assert isinstance(part.model, Stateful)
    return [[tensor.numpy() for tensor in batch] for batch in part.model.carried()]


def _views(flat: Tensor, parameters: Sequence[Parameter]) -> list[Tensor]:
    """The pieces of a flat gradient in the shapes of the parameters."""
    pieces = torch.split(flat, [parameter.numel() for parameter in parameters])
    return [piece.view_as(parameter) for piece, parameter in zip(pieces, parameters, strict=True)]


class DistributedGradient:
    """Every process computes every `team.size`-th batch by `own`; the gradients are summed over the group.

    The batches, their seeds and the tokens they are divided by are those of one process, so that the weights are too,
    but for the order of the sum.
    """

    def __init__(self, own: Gradient, micro_batch: MicroBatch, group: ProcessGroup) -> None:
        self.own = own
        self.parameters = micro_batch.parameters
        self.group = group
        size = sum(parameter.numel() for parameter in self.parameters)
        self.flat = torch.zeros(size, device=micro_batch.model.output_weight.device)

    def __call__(self, batches: Sequence[Batch], seeds: Sequence[int], tokens: int, update: int) -> Sums:
        """A process without a batch adds nothing."""
        mine = slice(self.group.rank, None, self.group.world_size)
        if batches[mine]:
            sums = self.own(batches[mine], seeds[mine], tokens, update)
        else:
            sums = torch.zeros(5, dtype=torch.float64, device=self.flat.device)
        pieces = torch.split(self.flat, [parameter.numel() for parameter in self.parameters])
        for piece, parameter in zip(pieces, self.parameters, strict=True):
            if parameter.grad is None:
                piece.zero_()
            else:
                piece.copy_(parameter.grad.flatten())
            parameter.grad = piece.view_as(parameter)
        self.group.all_reduce_sum(self.flat)
        self.group.all_reduce_sum(sums)
        return sums

    def carried(self) -> list[list[Tensor]]:
        """What all processes carry."""
        return self.group.all_gather(self.own.carried())

    def close(self) -> None:
        self.own.close()
