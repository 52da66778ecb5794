"""Commands and programs in processes of their own, forked from one that has imported everything already.

A fresh Python spends two to four seconds on imports alone; a fork of Python's fork server, which imports once and has
no threads, spends none, and is a process like any other: own memory, signals, folder and streams.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from one_composition import compose_once

ROOT = Path(__file__).parent.parent
PATIENCE = 120.0  # seconds
Completed = subprocess.CompletedProcess[str]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "torch._dynamo",  # optimisers would
        "torch.utils.tensorboard",  # the log would
        "seq2seq.cli.train",
        "seq2seq.cli.translate",
        "seq2seq.cli.evaluate",
        "seq2seq.cli.train_classifier",
        "seq2seq.cli.train_generator",
        "seq2seq.cli.train_language_model",
        "seq2seq.cli.train_tagger",
        "hydra.main",  # what commands import when they need it, from here on
        "hydra._internal.hydra",
        "langcodes",
        "pandas",  # pyarrow would
        "pyarrow.parquet",
        "rich.console",
        "sacrebleu",
        "torch.profiler",
        "seq2seq.data.corpus.files",
        "seq2seq.network.decoder.parallel",
    ]
)


class Started:
    """`python FILE ...`, or `python -m MODULE ...`, begun in a folder with this standard input."""

    def __init__(
        self,
        program: Path | str,
        arguments: Sequence[str],
        folder: Path | None = None,
        text: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = [str(program), *arguments]
        self.place = tempfile.TemporaryDirectory()
        self.streams = [str(Path(self.place.name, name)) for name in ("in", "out", "err")]
        Path(self.streams[0]).write_text(text or "", "utf-8")
        settings = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **(environment or {})}
        given = program, list(arguments), folder or Path.cwd(), self.streams, settings
        self.process = SERVER.Process(target=_become, args=given)
        self.process.start()

    def ended(self) -> Completed:
        """What became of it."""
        self.process.join(PATIENCE)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        assert self.process.exitcode is not None
        out, err = (Path(path).read_bytes().decode("utf-8") for path in self.streams[1:])
        self.place.cleanup()
        return Completed(self.command, self.process.exitcode, out, err)


def run(
    program: Path | str, arguments: Sequence[str], folder: Path | None = None, text: str | None = None
) -> Completed:
    """What became of it in the end."""
    return Started(program, arguments, folder, text).ended()


def fresh(arguments: Sequence[str], folder: Path, text: str | None = None) -> Completed:
    """What became of `python -m seq2seq ...` as users start it, imports and all."""
    command = [sys.executable, "-m", "seq2seq", *arguments]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    return subprocess.run(
        command, cwd=folder, env=settings, input=text, capture_output=True, encoding="utf-8", timeout=PATIENCE
    )


def _become(
    program: Path | str, arguments: list[str], folder: Path, streams: list[str], settings: dict[str, str]
) -> None:
    """This process becomes the one that was asked for."""
    compose_once()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(settings)
    for number, path in enumerate(streams):
        os.dup2(os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process lives
    sys.argv = [str(program), *arguments]
    if isinstance(program, str):
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(program.parent))
        runpy.run_path(str(program), run_name="__main__")
