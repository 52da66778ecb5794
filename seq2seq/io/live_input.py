"""Lines from somebody who may take his time: whatever has come is handed on at once, however little it is."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from seq2seq.errors import ConfigError

Item = TypeVar("Item")


def live_chunks(items: Iterable[Item], max_waiting: int) -> Iterator[list[Item]]:
    """Chunks of what has come since the last one, at least one item each; waits only where there is nothing.

    A thread takes the items, never more than `most` before the first of them is handed on. An exception comes where
    its item would have; who stops here stops the thread at its next item. Raises ConfigError.
    """
    if max_waiting < 1:
        raise ConfigError(f"most: expected a positive int, got {max_waiting}")
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
    """What has come and was not taken yet."""

    def __init__(self, items: Iterable[Item], most: int) -> None:
        self.items, self.most = items, most
        self.error: BaseException | None = None
        self._waiting: deque[Item] = deque()
        self._ended = False
        self._changed = threading.Condition()

    def fill(self) -> None:
        """The life of the thread."""
        try:
            items = iter(self.items)
            while self._room():
                self._put(next(items))
        except StopIteration:
            pass
        except BaseException as error:  # whatever it is, the other side must not wait for ever
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
        """Nothing more comes, or is wanted."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _room(self) -> bool:
        """Waits until another item may be asked for; false where nobody wants one."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < self.most or self._ended)
            return not self._ended

    def _put(self, item: Item) -> None:
        with self._changed:
            self._waiting.append(item)
            self._changed.notify_all()
