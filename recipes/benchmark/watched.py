"""A command under observation: its time, the time until its first line, its memory, and who used its cores."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, NamedTuple

from contestant.base import Command, UnavailableError, limited

SAMPLE = 0.2  # seconds between two looks at memory
GLANCE = 0.005  # seconds between two looks for the first line, in the first half minute
LIMIT = 1200.0  # seconds, of a command


class Watched(NamedTuple):
    """Seconds from the command's start to its end and to its first line; its memory; who used its cores."""

    seconds: float
    first: float
    peak: int  # bytes of all its processes; what they share counts once
    own: float  # share of the time of these cores
    others: float


def watch(command: Command, output: Path, cores: list[int]) -> Watched:
    """Runs a command on those cores, with as many threads. Raises UnavailableError where it fails."""
    output.unlink(missing_ok=True)
    variables = {**limited(len(cores)), **command.variables}
    with (
        tempfile.TemporaryFile() as said,
        (command.source or Path(os.devnull)).open("rb") as source,
        (command.output or Path(os.devnull)).open("wb") as sink,
    ):
        busy, begun = _busy(cores), time.perf_counter()
        process = subprocess.Popen(
            pinned(command.arguments, cores),
            stdin=source,
            stdout=sink,
            stderr=said,
            env=variables,
            start_new_session=True,
        )
        with Looking(process.pid, output, begun) as looking:
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in command.accepted:
            raise UnavailableError(f"code {process.returncode}: {last(said)}")
    own, every = used.ru_utime + used.ru_stime, seconds * len(cores)
    shares = own / every, max(0.0, _busy(cores) - busy - own) / every
    return Watched(seconds, min(looking.first, seconds), looking.peak or 1024 * used.ru_maxrss, *shares)


def pinned(arguments: list[str], cores: list[int]) -> list[str]:
    """The same command on those cores alone, where the system can do that."""
    return ["taskset", "-c", ",".join(map(str, cores)), *arguments] if shutil.which("taskset") else arguments


def last(said: IO[bytes]) -> str:
    """The end of what a program said."""
    said.seek(0)
    return said.read().decode("utf-8", "replace").strip()[-300:]


class Looking(threading.Thread):
    """Looks at a process now and then: how much memory it has, whether its output holds a line. Ends it with itself."""

    def __init__(self, process: int, output: Path, begun: float) -> None:
        super().__init__(daemon=True)
        self.process, self.output, self.begun = process, output, begun
        self.first, self.peak, self._ended = float("inf"), 0, threading.Event()

    def __enter__(self) -> "Looking":
        self.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._ended.set()
        self.join()
        if kind is not None:
            self._kill()

    def run(self) -> None:
        due = 0.0
        while not self._ended.is_set():
            now = time.perf_counter() - self.begun
            if self.first == float("inf") and _line(self.output):
                self.first = now
            if now >= due:
                self.peak, due = max(self.peak, sum(map(_memory, _tree(self.process)))), now + SAMPLE
            if now > LIMIT:
                self._kill()
            self._ended.wait(GLANCE if self.first == float("inf") and now < 30 else SAMPLE)

    def _kill(self) -> None:
        """The process and those it has started."""
        try:
            os.killpg(self.process, signal.SIGKILL)
        except OSError:  # they have ended, or belong to somebody else by now
            return


def _line(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return b"\n" in opened.read(1 << 16)
    except OSError:
        return False


def _text(file: Path) -> str:
    """What the system tells there; nothing where it does not, or where the process ended a moment ago."""
    try:
        return file.read_text()
    except OSError:
        return ""


def _inside(folder: Path) -> list[Path]:
    """Likewise of a folder, which pathlib's glob cannot read while it disappears."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _tree(process: int) -> list[int]:
    """A process and all below it; that alone where the system does not tell."""
    found, left = [], [process]
    while left:
        found.append(left.pop())
        for task in _inside(Path(f"/proc/{found[-1]}/task")):
            left += map(int, _text(task / "children").split())
    return found


def _memory(process: int) -> int:
    """Bytes, its share of what several processes have together; 0 where the system does not tell."""
    lines = _text(Path(f"/proc/{process}/smaps_rollup")).splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _busy(cores: list[int]) -> float:
    """Seconds that these cores have been busy since the machine started; 0 where the system does not tell."""
    rows = [line.split() for line in _text(Path("/proc/stat")).splitlines()]
    named = {f"cpu{core}" for core in cores}
    ticks = sum(int(value) for row in rows if row and row[0] in named for value in (*row[1:4], *row[6:9]))
    return ticks / os.sysconf("SC_CLK_TCK")
