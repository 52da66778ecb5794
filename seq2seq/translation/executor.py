"""Batches are searched at once, or by processes that share one copy of the weights."""

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Protocol, runtime_checkable

import torch

from seq2seq.errors import ModelError
from seq2seq.io.process_pool import ForkGuard, Handler, Worker, WorkerExit, WorkerFailure, close_workers
from seq2seq.translation.searcher import DecodeOptions, Searcher, SegmentResults, Segments

FORK_GUARD = ForkGuard()
LARGE = 256  # rows of a product that MKL takes memory for
PATIENCE = (5.0, 10.0, 20.0, 40.0)  # seconds for the first product of a process, which takes some milliseconds
TO_END = 10.0  # seconds for batches under way when the processes are to end
CLOSED = "translations that were begun inside in_processes() must be taken before it ends: use list(...) inside"


@runtime_checkable
class Executor(Protocol):
    """Searches batches of segments, now or later."""

    @property
    def ahead(self) -> int:
        """How many chunks may be in progress besides the one that is waited for."""
        ...

    def submit(self, segments: Segments, options: DecodeOptions) -> "Future[SegmentResults]":
        """The future of a batch."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class InlineExecutor:
    """Each batch is searched when it is submitted, in this process."""

    ahead = 0

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher

    def submit(self, segments: Segments, options: DecodeOptions) -> "Future[SegmentResults]":
        future: Future[SegmentResults] = Future()
        with FORK_GUARD.computing():
            future.set_result(self.searcher(segments, options))
        return future

    def close(self) -> None:
        """Nothing to free."""


class ForkedExecutor:
    """`count` forked processes with one thread each, which share the weights of this process.

    Threads in small products spend more time waiting for each other than computing. A batch is searched as in one
    process, so the number of processes changes no translation. They end with this process, however it ends.
    """

    ahead = 2

    def __init__(self, searcher: Searcher, count: int) -> None:
        self._closed = False
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._workers: list[Worker] = []
        for _ in range(count):
            self._workers.append(_forked(searcher, self._workers))
        for number, worker in enumerate(self._workers):
            self._workers[number] = _able(worker, partial(_forked, searcher, self._workers))
            self._idle.put(self._workers[number])
        self._threads = ThreadPoolExecutor(count, "searching")  # after the forks; each waits for one process

    def submit(self, segments: Segments, options: DecodeOptions) -> "Future[SegmentResults]":
        """The future raises ModelError if a process failed or ended."""
        if self._closed:
            raise ModelError(CLOSED)
        return self._threads.submit(self._send, segments, options)

    def close(self) -> None:
        """Ends the processes; batches that were not started are dropped."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + TO_END
        while self._idle.qsize() < len(self._workers) and time.monotonic() < end:
            time.sleep(0.01)
        idle = [self._idle.get() for _ in range(self._idle.qsize())]
        for worker in self._workers:
            if worker not in idle:  # it hangs or was stopped: its thread would wait for ever
                worker.process.kill()
        self._threads.shutdown()
        close_workers(self._workers)

    def _send(self, segments: Segments, options: DecodeOptions) -> SegmentResults:
        worker = self._idle.get()
        try:
            worker.send((segments, options))
            result: SegmentResults = worker.receive()
        except WorkerExit as error:
            raise ModelError(f"a process that translated {error}: lower cores= or translator.batch_tokens") from error
        except WorkerFailure as error:
            raise ModelError(f"a process that translated failed:\n{error}") from error
        finally:
            self._idle.put(worker)
        return result


def _forked(searcher: Searcher, siblings: Sequence[Worker]) -> Worker:
    """Forks a process that searches; its first answer shows that it can multiply."""
    with FORK_GUARD.forking():
        worker = Worker(multiprocessing.get_context("fork"), partial(_begin, searcher), siblings)
    worker.send(None)
    return worker


def _able(worker: Worker, again: Callable[[], Worker]) -> Worker:
    """The process once its first product is done, or a new one in its place.

    If a thread that multiplied ended just before the fork, a lock of MKL may stay closed in the child for ever.
    """
    for patience in PATIENCE:
        if worker.pipe.poll(patience):
            worker.receive()
            return worker
        worker.kill()
        worker = again()
    raise ModelError(f"processes that translate hung {len(PATIENCE)} times where they multiply first: use cores=1")


def _begin(searcher: Searcher) -> Handler:
    """In the process: a batch's hypotheses; for None, a product as large as those that MKL takes memory for."""
    torch.set_num_threads(1)  # another thread may have asked for more since this one did, and none of them was forked

    def handle(message: tuple[Segments, DecodeOptions] | None) -> SegmentResults | bool:
        if message is None:
            numbers = torch.ones(LARGE, LARGE)
            return bool((numbers @ numbers)[0, 0] == LARGE)
        return searcher(*message)

    return handle


def wait(future: "Future[SegmentResults]") -> SegmentResults:
    """The result of a future. Raises ModelError if the processes have been closed."""
    try:
        return future.result()
    except CancelledError:
        raise ModelError(CLOSED) from None


def executor(searcher: Searcher, count: int) -> Executor:
    """Forked processes if the CPU has several cores to use, else this process with `count` threads.

    Only the main thread forks: a child inherits the locks that other threads hold, and nothing opens them.
    """
    if count < 2 or searcher.device.type != "cpu" or not _forks():
        torch.set_num_threads(count)
        return InlineExecutor(searcher)
    torch.set_num_threads(1)
    return ForkedExecutor(searcher, count)


def _forks() -> bool:
    """Whether this thread may fork. Windows cannot, and macOS's products of matrices do not outlive a fork."""
    able = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    return able and threading.current_thread() is threading.main_thread()
