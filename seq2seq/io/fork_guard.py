"""Keeps searches of other threads out of a fork: a lock that one of them held would be held in the child for ever."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ForkGuard:
    """Either any number of searches, or one fork."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = 0
        self._forking = False

    @contextmanager
    def searching(self) -> Iterator[None]:
        """A search; waits while somebody forks."""
        with self._changed:
            self._changed.wait_for(lambda: not self._forking)
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    @contextmanager
    def forking(self) -> Iterator[None]:
        """A fork; waits for searches under way, and holds up others."""
        with self._changed:
            self._changed.wait_for(lambda: not self._forking)
            self._forking = True
            self._changed.wait_for(lambda: not self._busy)
        try:
            yield
        finally:
            with self._changed:
                self._forking = False
                self._changed.notify_all()
