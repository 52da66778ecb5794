"""Child processes end with their work: quietly where they can, killed where they hang, within a bounded time."""

import os
import signal
import time
from functools import partial

import pytest
import torch
from toy_network import toy_batch, toy_model

from seq2seq.io.process_pool import serve
from seq2seq.training.criterion import Criterion
from seq2seq.training.distributed.parallel_gradient import WorkerGradient, _begin
from seq2seq.training.gradient import MicroBatch
from seq2seq.training.objective.likelihood import Likelihood

pytestmark = pytest.mark.slow


class Gone:
    """A pipe whose other end closes while a gradient is computed."""

    def __init__(self, message: object) -> None:
        self.messages = [message]

    def recv(self) -> object:
        return self.messages.pop()

    def send(self, answer: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")


class Reset(Gone):
    """One that breaks before a message came."""

    def recv(self) -> object:
        raise ConnectionResetError(104, "Connection reset by peer")


def part() -> MicroBatch:
    torch.manual_seed(3)
    return MicroBatch(toy_model(), Likelihood(), Criterion(0.1), torch.float32, noise=False)


@pytest.mark.parametrize("kind", [Gone, Reset])
def test_a_worker_whose_main_process_is_gone_ends_in_silence(kind: type[Gone]) -> None:
    batch = toy_batch([[4, 6]], [[4, 8]])
    made = part()
    slots = [torch.zeros(sum(parameter.numel() for parameter in made.parameters))]
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    threads = torch.get_num_threads()
    try:
        message = (0, [tensor.numpy() for tensor in batch], 1, 2, 1)
        serve(partial(_begin, made, slots, 0, 1), kind(message), [])
    finally:
        torch.set_num_threads(threads)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_a_stopped_worker_does_not_keep_the_exit_waiting() -> None:
    workers = WorkerGradient(part(), 2, 2)
    os.kill(workers.workers[0].process.pid or 0, signal.SIGSTOP)
    begun = time.monotonic()
    workers.close()
    assert time.monotonic() - begun < 20
    assert all(worker.process.exitcode is not None for worker in workers.workers)
    assert workers.workers[0].process.exitcode == -signal.SIGKILL
