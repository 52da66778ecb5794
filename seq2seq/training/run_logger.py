"""The output of a run: messages, log.jsonl, TensorBoard events, and skipped batches."""

import errno
import importlib.util
import io
import json
import logging
import math
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from seq2seq.io.atomic import storing

TIME_FIELDS = (
    "seconds",
    "tokens_per_second",
    "waiting",
)  # the only fields that differ between two runs of the same command
logger = logging.getLogger(__name__)
Values = Mapping[str, float | int | Mapping[str, float]]


class Reporter:
    """Shows loss (nats per target token), accuracy, gradient norm, speed (target tokens per second), the
    share of places that are padding, the share of time that is spent waiting for data, and the time left."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=True)
        self._bar: Progress | None = None

    def __enter__(self) -> "Reporter":
        if sys.stderr.isatty():
            columns = (BarColumn(20), TextColumn("{task.percentage:3.0f} %"), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=self.console, auto_refresh=False)
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, markup=False, highlight=False)

    def training(self, update: int, progress: float, left: float | None, values: Mapping[str, float | int]) -> None:
        """News of the last interval; `left` is the time in seconds that the budget leaves, where it can be known."""
        place = f"epoch {values['epoch']:.1f}  update {update:,}"
        if left is not None:
            place += f"  left {duration(left)}"
        learnt = f"loss {values['loss']:.3f}  accuracy {values['accuracy']:.1%}  gradient {values['gradient_norm']:.2f}"
        speed = f"{values['tokens_per_second']:,.0f} tok/s"
        waste = f"padding {values['padding']:.1%}  waiting {values['waiting']:.1%}"
        if self._bar is None:
            self.say(f"{place}  {learnt}  {speed}  {waste}")
        else:
            text = f"{place}  {speed}\n{learnt}  {waste}"
            self._bar.update(self._task, completed=progress, description=text, refresh=True)

    def validation(self, update: int, scores: Mapping[str, float], better: bool) -> None:
        """The scores of a validation."""
        numbers = "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
        self.say(f"validation after update {update:,}: {numbers}" + ("  (best so far)" if better else ""))


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
        """System errors inside are ignored: the events only repeat the log, so the run continues without them."""
        try:
            yield
        except OSError as error:
            if self._events is not None:
                self._events.close()
            self._events = None
            logger.warning("warning: %s: no more TensorBoard events: %s", self.path.parent, error)


class RunLogger:
    """The records of a run in `folder`; `records` of them, and those up to `update`, exist already.

    Only the main process writes; the others have no `reporter`.
    """

    def __init__(self, folder: Path, records: int, update: int, reporter: Reporter | None) -> None:
        self.folder = folder
        self.reporter = reporter
        self._log = None if reporter is None else LogFile(folder, records, update)

    @property
    def records(self) -> int:
        """Lines of the log."""
        return 0 if self._log is None else self._log.records

    def say(self, text: str) -> None:
        """Prints a line."""
        if self.reporter is not None:
            self.reporter.say(text)

    def write(self, event: str, update: int, values: Values) -> None:
        """A record of the log."""
        if self._log is not None:
            self._log.write(event, update, values)

    def training(self, update: int, progress: float, left: float | None, values: Mapping[str, float | int]) -> None:
        """How the last updates went; `left` is the time in seconds that the budget leaves, where it can be known."""
        self.write("training", update, values)
        if self.reporter is not None:
            self.reporter.training(update, progress, left, values)

    def validation(self, update: int, scores: Mapping[str, float], better: bool, seconds: float) -> None:
        """The scores of a validation."""
        self.write("validation", update, {"scores": scores, "better": better, "seconds": seconds})
        if self.reporter is not None:
            self.reporter.validation(update, scores, better)

    def skipped(self, update: int, loss: float, texts: Iterable[tuple[str, str]]) -> None:
        """An update that changed nothing, for its loss or its gradient was not finite; `texts` are its pairs."""
        if self.reporter is None:
            return
        path = self.folder / "skipped" / f"{update:08d}.jsonl"
        lines = [json.dumps({"source": source, "target": target}, ensure_ascii=False) for source, target in texts]
        with storing(path):
            path.parent.mkdir(exist_ok=True)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self.write("skipped", update, {"loss": loss})
        self.say(f"update {update:,}: skipped, its loss or gradient was not finite; its lines are in {path}")

    def sync(self) -> None:
        """Bring all records to the disk: before a checkpoint that counts them."""
        if self._log is not None:
            self._log.sync()

    def close(self) -> None:
        """Close the files."""
        if self._log is not None:
            self._log.close()


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


class TensorBoardLog:
    """A new file of events in `folder`; those that older files hold after `update` count no more.

    Raises OSError where the system refuses.
    """

    def __init__(self, folder: Path, update: int) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2  # an extra
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary, self._framed = event_pb2, summary_pb2, RecordWriter
        name = f"events.out.tfevents.{int(time.time())}.{platform.node()}.{os.getpid()}.{time.monotonic_ns()}"
        self._file = (folder / name).open("wb", buffering=0)
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        try:
            self._write(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))
            self._write(event_pb2.Event(wall_time=time.time(), step=update + 1, session_log=start))
        except OSError:
            self.close()
            raise

    def add(self, event: str, update: int, values: dict[str, float]) -> None:
        """The values of an event such as `training` after an update."""
        points = [self._summary.Summary.Value(tag=f"{event}/{name}", simple_value=one) for name, one in values.items()]
        summary = self._summary.Summary(value=points)
        self._write(self._event.Event(wall_time=time.time(), step=update, summary=summary))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, event: Any) -> None:
        framed = io.BytesIO()
        self._framed(framed).write(event.SerializeToString())
        if self._file.write(framed.getvalue()) < len(framed.getvalue()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # nothing that follows half an event can be read


def available() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec("tensorboard") is not None


def duration(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
