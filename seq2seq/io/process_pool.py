"""Child processes that answer messages one at a time, and how they start, fail and end."""

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from typing import Any

from seq2seq.errors import ConfigError

Handler = Callable[[Any], Any]
SECONDS_TO_END = 5.0  # for all processes together: what they do after their pipe is closed is one batch


class WorkerFailure(Exception):  # noqa: N818 - what it is
    """A handler raised an exception; the message is its traceback."""


class WorkerExit(Exception):  # noqa: N818 - what it is
    """The process has ended without an answer."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"ended with code {code} (-9: killed, most often for memory)")


class Worker:
    """A process that calls a handler with every message and sends back what it returns.

    It ends with this process, however that ends.

    Args:
        context: of multiprocessing; starts the process by fork or spawn.
        begin: called once in the process, returns the handler.
        siblings: workers that were forked before, whose pipes this one inherits and must close.
    """

    def __init__(self, context: BaseContext, begin: Callable[[], Handler], siblings: Sequence["Worker"] = ()) -> None:
        self.pipe, theirs = context.Pipe()
        forked = context.get_start_method() == "fork"
        inherited = [self.pipe, *(worker.pipe for worker in siblings)] if forked else []
        self.process = context.Process(  # type: ignore[attr-defined]
            target=serve, args=(begin, theirs, inherited), daemon=True
        )
        self.process.start()
        theirs.close()

    def send(self, message: object) -> None:
        """Raises WorkerExit where the process has ended."""
        try:
            self.pipe.send(message)
        except OSError:
            raise self._exit() from None

    def receive(self) -> Any:
        """The answer to the oldest message without one.

        Raises ConfigError as the handler raised it, WorkerFailure for its other exceptions, and WorkerExit.
        """
        try:
            answer, error = self.pipe.recv()
        except (EOFError, OSError):
            raise self._exit() from None
        if isinstance(error, ConfigError):
            raise error
        if error is not None:
            raise WorkerFailure(error)
        return answer

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def _exit(self) -> WorkerExit:
        self.process.join(1)
        return WorkerExit(self.process.exitcode)


def close_workers(workers: Sequence[Worker]) -> None:
    """Ends processes by closing their pipes, and kills those that do not end within SECONDS_TO_END.

    They ignore SIGTERM, because a signal to the whole group is the main process's to handle; at exit Python would send
    them SIGTERM and wait without limit.
    """
    for worker in workers:
        worker.pipe.close()
    end = time.monotonic() + SECONDS_TO_END
    for worker in workers:
        worker.process.join(max(0.0, end - time.monotonic()))
    for worker in workers:
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def serve(begin: Callable[[], Handler], pipe: Any, inherited: Sequence[Connection]) -> None:
    """Run in the process: a message in, its answer out, until the other end closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both often reach the whole group; the main process ends this one
        signal.signal(number, signal.SIG_IGN)
    for other in inherited:  # while any process holds one, no process sees that it is closed
        other.close()
    handler = begin()
    while True:
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            return
        answer: tuple[Any, ConfigError | str | None]
        try:
            answer = handler(message), None
        except ConfigError as error:
            answer = None, error
        except Exception:
            answer = None, traceback.format_exc()
        try:
            pipe.send(answer)
        except OSError:  # the main process has ended, or does not wait for it any more
            return


class ForkGuard:
    """Any number of threads compute, or one forks: a lock held in a fork would stay locked in the child for ever."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._computing = 0
        self._forking = False

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Waits while a thread forks."""
        with self._changed:
            self._changed.wait_for(lambda: not self._forking)
            self._computing += 1
        try:
            yield
        finally:
            with self._changed:
                self._computing -= 1
                self._changed.notify_all()

    @contextmanager
    def forking(self) -> Iterator[None]:
        """Waits for computations under way, and makes others wait."""
        with self._changed:
            self._changed.wait_for(lambda: not self._forking)
            self._forking = True
            self._changed.wait_for(lambda: not self._computing)
        try:
            yield
        finally:
            with self._changed:
                self._forking = False
                self._changed.notify_all()
