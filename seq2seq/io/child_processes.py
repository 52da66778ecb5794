"""How child processes end: by themselves, or killed; whoever waits for one waits a bounded time."""

import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess

PATIENCE = 5.0  # seconds for all of them together: what they do after their pipe is closed is one batch


def end_processes(processes: Sequence[BaseProcess], patience: float = PATIENCE) -> None:
    """Waits for processes whose pipes are closed, and kills those that are still there: hung, stopped, or stuck.

    They ignore SIGTERM, so that a signal to the whole group is the main process's to answer; at its exit Python would
    send them one and wait for ever.
    """
    end = time.monotonic() + patience
    for process in processes:
        process.join(max(0.0, end - time.monotonic()))
    for process in processes:
        if process.is_alive():
            process.kill()
            process.join()
