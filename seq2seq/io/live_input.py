"""Input that arrives item by item, such as typed lines: what has arrived is passed on at once."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from seq2seq.errors import ConfigError

Item = TypeVar("Item")


def live_chunks(items: Iterable[Item], max_waiting: int) -> Iterator[list[Item]]:
    """Chunks of the items that arrived since the last chunk, at least one item each.

    A thread reads the items, at most `max_waiting` before the first of them is passed on. An exception of `items` is
    raised in its item's place. Closing the iterator stops the thread at its next item. Raises ConfigError.
    """
    if max_waiting < 1:
        raise ConfigError(f"max_waiting: expected a positive int, got {max_waiting}")
    return _chunks(_Inbox(items, max_waiting))


def _chunks(inbox: "_Inbox[Item]") -> Iterator[list[Item]]:
    thread = threading.Thread(target=inbox.fill, name="arriving", daemon=True)  # may wait for its next item for ever
    thread.start()
    try:
        while chunk := inbox.take():
            yield chunk
        if inbox.error is not None:
            raise inbox.error
    finally:
        inbox.close()


class _Inbox(Generic[Item]):
    """Items that have arrived and were not taken yet."""

    def __init__(self, items: Iterable[Item], max_waiting: int) -> None:
        self.items, self.max_waiting = items, max_waiting
        self.error: BaseException | None = None
        self._waiting: deque[Item] = deque()
        self._ended = False
        self._changed = threading.Condition()

    def fill(self) -> None:
        """Runs in the thread."""
        try:
            items = iter(self.items)
            while self._room():
                self._put(next(items))
        except StopIteration:
            pass
        except BaseException as error:  # of any kind: the other side must not wait for ever
            self.error = error
        self.close()

    def take(self) -> list[Item]:
        """All there is, as soon as there is anything; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            taken = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """Stops both sides."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _room(self) -> bool:
        """Waits until there is space for another item; false after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < self.max_waiting or self._ended)
            return not self._ended

    def _put(self, item: Item) -> None:
        with self._changed:
            self._waiting.append(item)
            self._changed.notify_all()
