"""The numbers of log.jsonl as TensorBoard's events, each on its way to the disk at once.

The package's own writer works in a thread, late, and what the system refuses comes out there.
"""

import errno
import importlib.util
import io
import os
import platform
import time
from pathlib import Path
from typing import Any


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
