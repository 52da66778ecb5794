"""The run's diary: log.jsonl, one record a line, and TensorBoard events where that package is installed."""

import importlib.util
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

TIME_FIELDS = (
    "seconds",
    "tokens_per_second",
    "waiting",
)  # the only fields that differ between two runs of the same command


@runtime_checkable
class _Events(Protocol):
    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None: ...

    def close(self) -> None: ...


Values = Mapping[str, float | int | Mapping[str, float]]


class Log:
    """Appends records to `folder/log.jsonl`, after cutting what a resumed run will write again.

    `records` lines and the events up to `update` belong to the checkpoint that the run goes on from.
    """

    def __init__(self, folder: Path, records: int, update: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "log.jsonl"
        self.records = _cut(self.path, records)
        self._file = self.path.open("a", encoding="utf-8")
        self._events = _events(folder, update)

    def write(self, event: str, update: int, values: Values) -> None:
        """One record: what happened at which update, and its numbers; those that are not finite become null."""
        record = {"event": event, "update": update, **values}
        self._file.write(json.dumps(_finite(record)) + "\n")
        self._file.flush()
        self.records += 1
        if self._events is not None:
            for name, value in _flat(values).items():
                self._events.add_scalar(f"{event}/{name}", value, update)

    def sync(self) -> None:
        """Bring all records to the disk: before a checkpoint that counts them."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._events is not None:
            self._events.close()


def _cut(path: Path, records: int) -> int:
    """Shorten the file to its first `records` whole lines; how many those are."""
    if not path.exists():
        return 0
    lines = path.read_bytes().splitlines(keepends=True)[:records]
    whole = [line for line in lines if line.endswith(b"\n")]
    os.truncate(path, sum(map(len, whole)))
    return len(whole)


def _events(folder: Path, update: int) -> _Events | None:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter  # slow to import, and an extra

    writer: _Events = SummaryWriter(str(folder), purge_step=update + 1)
    return writer


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(values: Values) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in values.items():
        flat.update(value if isinstance(value, Mapping) else {name: value})
    return flat
