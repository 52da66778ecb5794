"""The processes that train one model together: those that torchrun started, on one machine or several, or just one."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Protocol, TypeVar, runtime_checkable

import torch
import torch.distributed
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from seq2seq.errors import TrainingError

Value = TypeVar("Value")
SECONDS_FOR_ERRORS = 2  # how long the others wait to learn why one of them ended


@runtime_checkable
class ProcessGroup(Protocol):
    """Each method is called by all processes at the same place of the program, and gives all of them the same."""

    @property
    def rank(self) -> int:
        """Number of this process: 0 is the main one, which alone writes files."""
        ...

    @property
    def world_size(self) -> int:
        """How many processes there are."""
        ...

    def broadcast(self, value: Value) -> Value:
        """The main process's value."""
        ...

    def all_reduce_max(self, values: Sequence[float]) -> list[float]:
        """The highest of each of some numbers."""
        ...

    def all_gather(self, values: list[Value]) -> list[Value]:
        """The values of all, in the order of their numbers."""
        ...

    def all_reduce_sum(self, tensor: Tensor) -> None:
        """Let the tensor become the sum over all, in place."""
        ...


def is_main() -> bool:
    """Whether this process is the leader, or the only one."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def process_group(timeout: float) -> Iterator[ProcessGroup]:
    """The process group that torchrun's environment variables describe.

    Raises TrainingError that names a process which failed, or which did not answer within `timeout` seconds; all
    processes then end.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield SingleProcess()
        return
    ranks = TorchProcessGroup(timeout)
    try:
        yield ranks
    except BaseException as error:
        ranks.report_error(error)
        raise
    finally:
        torch.distributed.destroy_process_group()


class SingleProcess:
    """A group of one process."""

    rank, world_size = 0, 1

    def broadcast(self, value: Value) -> Value:
        return value

    def all_reduce_max(self, values: Sequence[float]) -> list[float]:
        return list(values)

    def all_gather(self, values: list[Value]) -> list[Value]:
        return values

    def all_reduce_sum(self, tensor: Tensor) -> None:
        pass


class TorchProcessGroup:
    """The processes of torchrun. Tensors of a GPU are summed by NCCL, everything else uses gloo.

    Before each exchange a process writes the number of its exchanges to the shared store, so that waiting processes can
    name the one that is missing.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        patience = timedelta(seconds=timeout)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        store, self.rank, self.world_size = next(rendezvous("env://", timeout=patience))
        store.set_timeout(patience)
        start = os.environ.get(
            "TORCHELASTIC_RESTART_COUNT", "0"
        )  # torchrun keeps the store of a process group that ended
        torch.distributed.init_process_group(
            backend,
            store=PrefixStore(f"group {start}", store),
            rank=self.rank,
            world_size=self.world_size,
            timeout=patience,
        )
        self._store = PrefixStore(f"team {start}", store)
        self._exchanges = 0
        self._store.set(f"machine {self.rank}", socket.gethostname())

    def broadcast(self, value: Value) -> Value:
        values = [value]
        with self._exchange():
            torch.distributed.broadcast_object_list(values, src=0, device=torch.device("cpu"))
        return values[0]

    def all_reduce_max(self, values: Sequence[float]) -> list[float]:
        tensor = torch.tensor(values, dtype=torch.float64)
        with self._exchange():
            torch.distributed.all_reduce(tensor, torch.distributed.ReduceOp.MAX)
        result: list[float] = tensor.tolist()
        return result

    def all_gather(self, values: list[Value]) -> list[Value]:
        result: list[list[Value]] = [[] for _ in range(self.world_size)]
        with self._exchange():
            torch.distributed.all_gather_object(result, values)
        return [value for part in result for value in part]

    def all_reduce_sum(self, tensor: Tensor) -> None:
        with self._exchange():
            torch.distributed.all_reduce(tensor)

    def report_error(self, error: BaseException) -> None:
        """Leave for the others why this process ends."""
        with suppress(RuntimeError):
            self._store.set(f"ended {self.rank}", f"{type(error).__name__}: {error}")

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        self._exchanges += 1
        try:
            self._store.set(f"exchanges {self.rank}", str(self._exchanges))
            yield
        except RuntimeError as error:
            raise TrainingError(self._explained(error)) from error

    def _explained(self, error: RuntimeError) -> str:
        """Who is missing, and why, as far as the store knows."""
        try:
            missing = [number for number in range(self.world_size) if self._came_to(number) < self._exchanges]
            descriptions = [self._described(number) for number in missing]
        except RuntimeError:
            descriptions = []
        who = "; ".join(descriptions) or "one of the processes ended"
        return f"{who}: this process (rank {self.rank}) ends too; the same command resumes from the last checkpoint"

    def _came_to(self, rank: int) -> int:
        key = f"exchanges {rank}"
        return int(self._store.get(key)) if self._store.check([key]) else 0

    def _described(self, number: int) -> str:
        """What is known of a process that did not come."""
        name = f"rank {number} of {self.world_size}"
        if self._store.check([f"machine {number}"]):
            name += f" on {self._store.get(f'machine {number}').decode()}"
        end = time.monotonic() + SECONDS_FOR_ERRORS
        while time.monotonic() < end:
            if self._store.check([f"ended {number}"]):
                return f"{name} failed: {self._store.get(f'ended {number}').decode()}"
            time.sleep(0.05)
        return f"{name} was killed, or is stuck (trainer.timeout={self.timeout:g} seconds)"
