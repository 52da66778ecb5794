"""What ends a training: its budget, or a signal"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType, TracebackType

from seq2seq.errors import TrainingError
from seq2seq.training.run_state import State
from seq2seq.training.settings import Settings

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def epochs(state: State, batches: int) -> float:
    """Passes over the training data so far; the present one has `batches` batches."""
    return state.epoch + state.batch / max(1, batches)


def progress(settings: Settings, state: State, batches: int) -> float:
    """The share of the budget that is used up, 0 to 1; 0 where there is none."""
    used = settings.used(state.update, epochs(state, batches), state.seconds)
    return min(1.0, max(used.values(), default=0.0))


def ending(settings: Settings, state: State, batches: int) -> str | None:
    """Why the run is at its end; None when it is not."""
    used = settings.used(state.update, epochs(state, batches), state.seconds)
    for name, share in used.items():
        if share >= 1:
            return f"trainer.{name}={getattr(settings, name)} is used up"
    if settings.patience is not None and state.waited >= settings.patience:
        return f"no better {settings.metric} in trainer.patience={settings.patience} validations"
    return None


def extended(settings: Settings, state: State) -> Settings:
    """Resolves `trainer.updates=+5000`: that many more than a finished run has made.

    A run that was killed resumes to the same number, which is in its state. Raises TrainingError for an unfinished run,
    for which the sum is ambiguous.
    """
    if not isinstance(settings.updates, str):
        return settings
    if state.finished or not state.update:
        state.extension, state.limit = settings.updates, state.update + int(settings.updates)
    elif state.extension != settings.updates:
        raise TrainingError(
            f"trainer.updates={settings.updates} extends finished runs only, and this one stopped after update "
            f"{state.update:,}: give the total number of updates"
        )
    return replace(settings, updates=state.limit)


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
        """Inside, a signal raises Interrupted immediately: for long work that changes no state.

        Enter context managers that must be undone before this one, so that no signal interrupts the undoing.
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
