"""Batches are searched at once, or by processes that share one copy of the weights."""

import multiprocessing
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Protocol, runtime_checkable

import torch

from seq2seq.errors import ModelError
from seq2seq.io.child_processes import end_processes
from seq2seq.io.fork_guard import ForkGuard
from seq2seq.translation.searcher import DecodeOptions, Found, Parts, Searcher


@runtime_checkable
class Executor(Protocol):
    """Takes batches and promises their hypotheses."""

    @property
    def ahead(self) -> int:
        """How many chunks of text may be under way besides the one that is waited for."""
        ...

    def submit(self, parts: Parts, order: DecodeOptions) -> "Future[Found]":
        """The promise of a batch."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


QUIET = ForkGuard()
LARGE = 256  # rows of a product that MKL takes memory for
PATIENCE = (5.0, 10.0, 20.0, 40.0)  # seconds for the first product of a process, which takes some milliseconds
TO_END = 10.0  # seconds for batches under way when the processes are to end
OUTSIDE = "translations that were begun inside in_processes() must be taken before it ends: use list(...) inside"


class InlineExecutor:
    """Each batch is searched when it is submitted, in this process."""

    ahead = 0

    def __init__(self, searcher: Searcher) -> None:
        self.searcher = searcher

    def submit(self, parts: Parts, order: DecodeOptions) -> "Future[Found]":
        promise: Future[Found] = Future()
        with QUIET.searching():
            promise.set_result(self.searcher(parts, order))
        return promise

    def close(self) -> None:
        """Nothing to free."""


class ForkedExecutor:
    """So many forked processes, one thread each: they read the weights where this process has them.

    Threads inside small products wait for each other more than they work. A batch is searched as in one process, so
    their number changes no translation. They end with this process, however it ends.
    """

    ahead = 2

    def __init__(self, searcher: Searcher, count: int) -> None:
        self._closed = False
        self._idle: SimpleQueue[tuple[Connection, Any]] = SimpleQueue()
        self._members: list[tuple[Connection, Any]] = []
        for _ in range(count):
            self._members.append(_forked(searcher, [pipe for pipe, _ in self._members]))
        for number, member in enumerate(self._members):
            again = partial(_forked, searcher, [pipe for pipe, _ in self._members])
            self._members[number] = _able(member, again)
            self._idle.put(self._members[number])
        self._threads = ThreadPoolExecutor(count, "searching")  # after the forks; each waits for one process

    def submit(self, parts: Parts, order: DecodeOptions) -> "Future[Found]":
        """The promise raises ModelError where a process failed or vanished."""
        if self._closed:
            raise ModelError(OUTSIDE)
        return self._threads.submit(self._send, parts, order)

    def close(self) -> None:
        """End the processes; batches that nobody waits for any more are not searched."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        end = time.monotonic() + TO_END
        while self._idle.qsize() < len(self._members) and time.monotonic() < end:
            time.sleep(0.01)
        idle = [self._idle.get() for _ in range(self._idle.qsize())]
        for member in self._members:
            if member not in idle:  # hung, or stopped: its thread would wait for ever
                member[1].kill()
        self._threads.shutdown()
        for pipe, _ in self._members:
            pipe.close()
        end_processes([process for _, process in self._members])

    def _send(self, parts: Parts, order: DecodeOptions) -> Found:
        pipe, process = self._idle.get()
        try:
            pipe.send((parts, order))
            answer = pipe.recv()
        except (EOFError, OSError) as error:
            process.join(1)
            raise ModelError(
                f"a process that translated ended with code {process.exitcode} (-9: killed, most often for memory): "
                "lower cores= or translator.batch_tokens"
            ) from error
        finally:
            self._idle.put((pipe, process))
        if isinstance(answer, str):
            raise ModelError(f"a process that translated failed:\n{answer}")
        result: Found = answer
        return result


def _forked(searcher: Searcher, others: Sequence[Connection]) -> tuple[Connection, Any]:
    """A process that serves, and this end of the pipe to it."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(searcher, theirs, [ours, *others]), daemon=True)
    with QUIET.forking():
        process.start()
    theirs.close()
    return ours, process


def _able(member: tuple[Connection, Any], again: Callable[[], tuple[Connection, Any]]) -> tuple[Connection, Any]:
    """The process once it has said that it can multiply, or another one.

    Where a thread that multiplied ended just before the fork, a lock of MKL's may stay closed in the process for ever.
    """
    for patience in PATIENCE:
        pipe, process = member
        if pipe.poll(patience):
            pipe.recv()
            return member
        process.kill()
        process.join()
        pipe.close()
        member = again()
    raise ModelError(f"processes that translate hung {len(PATIENCE)} times where they multiply first: use cores=1")


def wait(promise: "Future[Found]") -> Found:
    """What was promised. Raises ModelError where the processes have been ended meanwhile."""
    try:
        return promise.result()
    except CancelledError:
        raise ModelError(OUTSIDE) from None


def executor(searcher: Searcher, count: int) -> Executor:
    """By so many processes where a CPU can fork them, else at once with so many threads.

    Only the main thread forks: of one that runs beside others a child inherits locks that nobody will ever open.
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


def _serve(searcher: Searcher, pipe: Connection, others: Sequence[Connection]) -> None:
    """The life of a process: a batch in, its hypotheses out, until the other end closes."""
    torch.set_num_threads(1)  # another thread may have asked for more since this one did, and none of them was forked
    for number in (signal.SIGINT, signal.SIGTERM):  # both often reach the whole group; the main process ends this one
        signal.signal(number, signal.SIG_IGN)
    for other in others:  # ends that were inherited: while anybody holds one, no process sees that it is closed
        other.close()
    numbers = torch.ones(LARGE, LARGE)
    pipe.send(bool((numbers @ numbers)[0, 0] == LARGE))
    while True:
        try:
            parts, order = pipe.recv()
            pipe.send(_answer(searcher, parts, order))
        except (EOFError, OSError):
            return


def _answer(searcher: Searcher, parts: Parts, order: DecodeOptions) -> Found | str:
    """What the searcher finds, or how it failed."""
    try:
        return searcher(parts, order)
    except Exception:
        return traceback.format_exc()
