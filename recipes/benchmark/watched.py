"""A command under observation: its time, the time until its first line, its memory, and who else used its cores."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from contestant.base import Command, UnavailableError, limited

SAMPLE = 0.2  # seconds between two looks at memory
GLANCE = 0.005  # seconds between two looks for the first line


class Watched(NamedTuple):
    """Seconds from the command's start to its end and to its first line; bytes; the share of its cores others used."""

    seconds: float
    first: float
    peak: int  # bytes of all its processes; what they share counts once
    others: float


def watch(command: Command, output: Path, cores: list[int]) -> Watched:
    """Runs a command on those cores, with as many threads. Raises UnavailableError where it fails."""
    output.unlink(missing_ok=True)
    source = command.source.open("rb") if command.source else subprocess.DEVNULL
    sink = command.output.open("wb") if command.output else subprocess.DEVNULL
    busy, begun = _busy(cores), time.perf_counter()
    with tempfile.TemporaryFile() as said:
        arguments, variables = pinned(command.arguments, cores), {**limited(len(cores)), **command.variables}
        process = subprocess.Popen(arguments, stdin=source, stdout=sink, stderr=said, env=variables)
        looking = Looking(process.pid, output, begun)
        looking.start()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        looking.end()
        for file in (source, sink):
            if not isinstance(file, int):
                file.close()
        if process.returncode:
            said.seek(0)
            raise UnavailableError(f"code {process.returncode}: {_last(said.read().decode('utf-8', 'replace'))}")
    others = max(0.0, _busy(cores) - busy - used.ru_utime - used.ru_stime) / (seconds * len(cores))
    return Watched(seconds, min(looking.first, seconds), looking.peak or 1024 * used.ru_maxrss, others)


def pinned(arguments: list[str], cores: list[int]) -> list[str]:
    """The same command on those cores alone, where the system can do that."""
    return ["taskset", "-c", ",".join(map(str, cores)), *arguments] if shutil.which("taskset") else arguments


def _last(said: str) -> str:
    """The end of what a program said."""
    return " | ".join(said.strip().splitlines()[-4:])[-600:]


class Looking(threading.Thread):
    """Looks at a process now and then: how much memory it has, whether its output holds a line."""

    def __init__(self, process: int, output: Path, begun: float) -> None:
        super().__init__(daemon=True)
        self.process, self.output, self.begun = process, output, begun
        self.first, self.peak, self._next, self._ended = float("inf"), 0, 0.0, threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            if self.first == float("inf") and _line(self.output):
                self.first = time.perf_counter() - self.begun
            now = time.perf_counter() - self.begun
            if now >= self._next:
                self.peak, self._next = max(self.peak, sum(map(_memory, _tree(self.process)))), now + SAMPLE
            self._ended.wait(GLANCE if self.first == float("inf") and now < 30 else SAMPLE)

    def end(self) -> None:
        """Waits for the last look."""
        self._ended.set()
        self.join()


def _line(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return b"\n" in opened.read(1 << 16)
    except OSError:
        return False


def _tree(process: int) -> list[int]:
    """A process and all below it; none where the system does not tell."""
    found, left = [], [process]
    while left:
        found.append(left.pop())
        for task in Path(f"/proc/{found[-1]}/task").glob("*/children"):
            try:
                left += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _memory(process: int) -> int:
    """Bytes, its share of what several processes have together."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def _busy(cores: list[int]) -> float:
    """Seconds that these cores have been busy since the machine started; 0 where the system does not tell."""
    file = Path("/proc/stat")
    rows = [line.split() for line in file.read_text().splitlines()] if file.is_file() else []
    named = {f"cpu{core}" for core in cores}
    ticks = sum(int(value) for row in rows if row[0] in named for value in (*row[1:4], *row[6:9]))
    return ticks / os.sysconf("SC_CLK_TCK")
