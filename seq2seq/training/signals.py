"""Ctrl-C and SIGTERM as a request that the training loop answers when its state is whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):  # noqa: N818 - a request, not an error
    """Raised inside `SignalHandler.at_once`."""


class SignalHandler:
    """While open, the first SIGINT or SIGTERM is only noted; the second does what it always does.

    The exit codes are those of a shell: 130 after SIGINT, 143 after SIGTERM. Does nothing outside the main thread,
    where Python takes no signals.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._at_once = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "SignalHandler":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in SIGNALS}  # known before one may come
            for number in SIGNALS:
                signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    @property
    def exit_code(self) -> int:
        """0 when nothing was received."""
        return 0 if self.received is None else 128 + self.received

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, a signal raises Interrupted where the program stands: for long work that changes no state.

        What must be undone after that work is entered before it, so that no signal ends the undoing.
        """
        self._at_once = True
        try:
            if self.received is not None:
                raise Interrupted
            yield
        finally:
            self._at_once = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()
        if self._at_once:
            raise Interrupted

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}
