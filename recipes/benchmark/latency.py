"""One line after the other through a running program: the time from a line to its translation."""

import math
import os
import select
import signal
import statistics
import subprocess
import tempfile
import time
from typing import NamedTuple

from contestant.base import Command, UnavailableError, limited
from watched import last, pinned

WARM_UP = 10  # lines that do not count
PATIENCE = 60.0  # seconds, for one line


class Latency(NamedTuple):
    """Seconds a line, and the words of their translations."""

    median: float
    late: float  # 95th percentile
    lines: int
    words: float  # a line


def latency(command: Command, lines: list[str], core: int) -> Latency:
    """Of all lines but the first ones, on one core. Raises UnavailableError where a line gets no answer of its own."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            pinned(command.arguments, [core]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env={**limited(1), **command.variables},
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        try:
            answered = [_asked(process, line) for line in lines]
        except UnavailableError as error:
            raise UnavailableError(f"{error}: {last(said)}") from error
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # with the processes it has started
            process.communicate()
    seconds = [time for time, _ in answered[WARM_UP:]]
    words = statistics.mean(len(answer.split()) for _, answer in answered[WARM_UP:])
    return Latency(statistics.median(seconds), percentile(seconds, 0.95), len(seconds), words)


def _asked(process: "subprocess.Popen[str]", line: str) -> tuple[float, str]:
    """Seconds and translation of a line."""
    assert process.stdin is not None and process.stdout is not None
    begun = time.perf_counter()
    try:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
    except OSError as error:
        raise UnavailableError("the program ended before it had translated all lines") from error
    if not select.select([process.stdout], [], [], PATIENCE)[0]:
        raise UnavailableError("does not answer line by line")
    answer = process.stdout.readline()
    if not answer:
        raise UnavailableError("the program ended before it had translated all lines")
    return time.perf_counter() - begun, answer


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]
