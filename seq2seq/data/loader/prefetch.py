"""Making the next items in a thread while this one is used."""

import threading
from collections.abc import Iterator
from queue import Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
PATIENCE = 0.1  # seconds between looks whether the consumer has gone


class _End:
    """The last thing in the queue: what ended the stream."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterator[Item], ahead: int) -> Iterator[Item]:
    """The same items in the same order, up to `ahead` of them made in advance by a thread.

    An exception in the thread is raised where its item would have come. Closing this iterator ends the thread before it
    returns; so does letting it go.
    """
    queue: Queue[Item | _End] = Queue(ahead)
    stopped = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, queue, stopped), name="prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()


def _fill(items: Iterator[Item], queue: "Queue[Item | _End]", stopped: threading.Event) -> None:
    end = _End(None)
    try:
        for item in items:
            if not _put(queue, item, stopped):
                return
    except BaseException as error:  # of any kind: the consumer must not wait for ever
        end = _End(error)
    _put(queue, end, stopped)


def _put(queue: "Queue[Item | _End]", item: Item | _End, stopped: threading.Event) -> bool:
    """Waits for room; false where the consumer has gone."""
    while not stopped.is_set():
        try:
            queue.put(item, timeout=PATIENCE)
            return True
        except Full:
            continue
    return False
