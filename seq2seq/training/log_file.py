"""The run's log: log.jsonl, one record a line, and TensorBoard events where that package is installed."""

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from seq2seq.io.atomic import storing
from seq2seq.training.tensorboard import TensorBoardLog, available

TIME_FIELDS = (
    "seconds",
    "tokens_per_second",
    "waiting",
)  # the only fields that differ between two runs of the same command
logger = logging.getLogger(__name__)


Values = Mapping[str, float | int | Mapping[str, float]]


class LogFile:
    """Appends records to `folder/log.jsonl`, after cutting what a resumed run will write again.

    `records` lines and the events up to `update` belong to the checkpoint that the run resumes from. All of it raises
    StorageError where the system refuses.
    """

    def __init__(self, folder: Path, records: int, update: int) -> None:
        self.path = folder / "log.jsonl"
        with storing(self.path):
            folder.mkdir(parents=True, exist_ok=True)
            self.records = _cut(self.path, records)
            self._file = self.path.open("ab", buffering=0)  # a line that the disk has no room for is not tried again
        self._events: TensorBoardLog | None = None
        with self._dispensable():
            self._events = TensorBoardLog(folder, update) if available() else None

    def write(self, event: str, update: int, values: Values) -> None:
        """One record: what happened at which update, and its numbers; those that are not finite become null."""
        record = {"event": event, "update": update, **values}
        line = f"{json.dumps(_finite(record))}\n".encode()
        with storing(self.path):
            while line:  # a disk that is nearly full takes a part
                line = line[self._file.write(line) :]
        self.records += 1
        if self._events is not None:
            with self._dispensable():
                self._events.add(event, update, _flat(values))

    def sync(self) -> None:
        """Bring all records to the disk: before a checkpoint that counts them."""
        with storing(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._events is not None:
            with self._dispensable():
                self._events.close()

    @contextmanager
    def _dispensable(self) -> Iterator[None]:
        """Inside, the system may refuse: the events only repeat what the log holds, so the run goes on without them."""
        try:
            yield
        except OSError as error:
            if self._events is not None:
                self._events.close()
            self._events = None
            logger.warning("warning: %s: no more TensorBoard events: %s", self.path.parent, error)


def _cut(path: Path, records: int) -> int:
    """Shorten the file to its first `records` whole lines; how many those are."""
    if not path.exists():
        return 0
    lines = path.read_bytes().splitlines(keepends=True)[:records]
    whole = [line for line in lines if line.endswith(b"\n")]
    os.truncate(path, sum(map(len, whole)))
    return len(whole)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(values: Values) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in values.items():
        flat.update(value if isinstance(value, Mapping) else {name: value})
    return flat
