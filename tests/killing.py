"""Waiting for child processes that are to be killed, and for what they write. Quick to import."""

import os
import time
from pathlib import Path


def ended(child: int, wait: float) -> int | None:
    """The child's exit code, -9 for one that was killed; None when it still runs after `wait` seconds."""
    end = time.monotonic() + wait
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(0.002)


def newest(folder: Path) -> str:
    """The name of the newest checkpoint; empty before the first."""
    return max((path.name for path in (folder / "checkpoints").glob("last-*.safetensors")), default="")
