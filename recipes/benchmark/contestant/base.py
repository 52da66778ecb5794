"""What a contestant is: a toolkit with a trained model, and the commands that make it translate."""

import os
import signal
import subprocess
import venv
from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

UPDATE, SMALL_UPDATE = 1600, 600  # target tokens an update, roughly; the small one where training is slow
LONGEST = 100  # tokens of a translation; captions are far shorter
BATCH = 64  # sentences that are translated together, where a toolkit counts them so


# torch 2.6 and later load no pickled objects unless told to; the peers' checkpoints, made by this recipe, hold some
PICKLED = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}


class UnavailableError(Exception):
    """A contestant that cannot take part here, and why."""


class Command(NamedTuple):
    """A program with its arguments; its standard input and output are `source` and `output` where those are named.

    accepted: the exit codes that mean that all lines came out.
    """

    arguments: list[str]
    source: Path | None = None
    output: Path | None = None
    variables: dict[str, str] = {}  # noqa: RUF012 of its environment, besides the number of threads
    accepted: tuple[int, ...] = (0,)


class Contestant(ABC):
    """One row of the tables: a toolkit, in one number format."""

    name: str

    @abstractmethod
    def install(self) -> None:
        """Makes the toolkit's environment where it is not there. Raises UnavailableError."""

    @abstractmethod
    def train(self, minutes: float, threads: int) -> None:
        """Trains the model where there is none. Raises UnavailableError where that fails."""

    @abstractmethod
    def files(self) -> list[Path]:
        """What must lie on the disk to translate, besides programs."""

    @abstractmethod
    def translate(self, source: Path, output: Path, beam: int, threads: int) -> Command:
        """Translates a file; `beam` 1 is greedy."""

    @abstractmethod
    def stream(self, beam: int) -> Command:
        """Answers every line of standard input with its translation at once, on one thread."""


def environment(folder: Path, *installations: list[str]) -> Path:
    """The programs of a Python environment, which is made by these arguments of `pip install` where it is not there."""
    programs, whole = folder / "bin", folder / "installed"
    if not whole.is_file():
        venv.create(folder, with_pip=True, clear=True)
        for packages in installations:
            done = subprocess.run(
                [str(programs / "python"), "-m", "pip", "install", "--quiet", *packages],
                text=True,
                stderr=subprocess.PIPE,
            )
            if done.returncode:
                raise UnavailableError(f"pip install {' '.join(packages)} failed: {done.stderr.strip()[-500:]}")
        whole.touch()
    return programs.absolute()


def spend(minutes: float, threads: int, command: list[str], log: Path) -> None:
    """Runs a training for some minutes and tells it to end; it has to store what it has now and then."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, env=limited(threads), stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = process.wait(60 * minutes)
        except subprocess.TimeoutExpired:
            code = 0
        finally:
            _end(process)
    if code:
        told = log.read_text("utf-8", "replace")[-800:]
        raise UnavailableError(f"{' '.join(command)} ended with code {code}:\n{told}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """A process and those it has started, after a minute to store what they have."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, kind)
            process.wait(60)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    process.wait()


def limited(threads: int) -> dict[str, str]:
    """Environment variables of a program that shall use so many threads, and no GPU."""
    counts = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        **os.environ,
        **{name: str(threads) for name in counts},
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONUNBUFFERED": "1",
    }


def size(files: list[Path]) -> int:
    """Bytes on the disk, folders with all that is in them."""
    every = [inner for one in files for inner in ([one] if one.is_file() else sorted(one.rglob("*")))]
    return sum(one.stat().st_size for one in every if one.is_file())
