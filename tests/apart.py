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

ROOT = Path(__file__).parent.parent
PATIENCE = 120.0  # seconds
Completed = subprocess.CompletedProcess[str]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "torch._dynamo",  # optimisers would
        "torch.utils.tensorboard",  # the log would
        "seq2seq.command.train",
        "seq2seq.command.translate",
        "seq2seq.command.evaluate",
    ]
)


def run(
    program: Path | str,
    arguments: Sequence[str],
    folder: Path | None = None,
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Completed:
    """What became of `python FILE ...`, or `python -m MODULE ...`, in a folder with this standard input."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **(environment or {})}
    with tempfile.TemporaryDirectory() as place:
        streams = [str(Path(place, name)) for name in ("in", "out", "err")]
        Path(streams[0]).write_text(text or "", "utf-8")
        given = program, list(arguments), folder or Path.cwd(), streams, settings
        process = SERVER.Process(target=_become, args=given)
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()
        out, err = (Path(path).read_bytes().decode("utf-8") for path in streams[1:])
    assert process.exitcode is not None
    return Completed([str(program), *arguments], process.exitcode, out, err)


def _become(
    program: Path | str, arguments: list[str], folder: Path, streams: list[str], settings: dict[str, str]
) -> None:
    """This process becomes the one that was asked for."""
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
