"""Entries of the cache are whole, and what killed processes left of others goes without touching those being made."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from apart import ROOT

from seq2seq.data.dataset.cache import HIDDEN, cache_entry
from seq2seq.errors import DataError

NAMES = [f"{role}-0123456789abcdef" for role in ("tokenizer", "train", "valid")]
MAKING = """
import sys
from pathlib import Path
from seq2seq.data.dataset.cache import cache_entry

def make(folder):
    (folder / "half").write_text("half")
    print("making", flush=True)
    sys.stdin.readline()

cache_entry(Path(sys.argv[1]), sys.argv[2], make)
"""


@contextmanager
def being_made(cache: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has begun to make an entry and goes on when it is told a line."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", MAKING, str(cache), name]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "making\n"
        yield process


def hidden(cache: Path) -> list[str]:
    return [path.name.split(".")[1] for path in cache.iterdir() if HIDDEN.fullmatch(path.name)]


def fill(folder: Path) -> None:
    (folder / "whole").write_text("whole")


def test_an_entry_is_made_whole(tmp_path: Path) -> None:
    folder = cache_entry(tmp_path / "cache", NAMES[0], fill)
    assert (folder / "whole").read_text() == "whole" and folder.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [NAMES[0]]


def test_what_the_killed_left_goes_and_what_others_make_stays(tmp_path: Path) -> None:
    with being_made(tmp_path, NAMES[0]) as killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
    assert hidden(tmp_path) == [NAMES[0]]
    (tmp_path / ".of-somebody-else").mkdir()
    with being_made(tmp_path, NAMES[1]) as other:
        cache_entry(tmp_path, NAMES[2], fill)
        assert hidden(tmp_path) == [NAMES[1]]
        other.communicate("go on\n", 10)
    names = [".of-somebody-else", NAMES[1], NAMES[2]]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / NAMES[1] / "half").exists()


def test_of_two_that_want_the_same_one_waits_and_finds_it(tmp_path: Path) -> None:
    with being_made(tmp_path, NAMES[0]) as other, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(cache_entry, tmp_path, NAMES[0], fill)
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        other.communicate("go on\n", 10)
        assert waiting.result(10) == tmp_path / NAMES[0]
    assert other.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [NAMES[0]]
    assert [path.name for path in (tmp_path / NAMES[0]).iterdir()] == ["half"]


def test_who_waits_for_a_killed_one_makes_it_after_all(tmp_path: Path) -> None:
    with being_made(tmp_path, NAMES[0]) as other, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(cache_entry, tmp_path, NAMES[0], fill)
        other.send_signal(signal.SIGKILL)
        assert (waiting.result(10) / "whole").exists()
    assert [path.name for path in tmp_path.iterdir()] == [NAMES[0]]


def test_a_failure_leaves_nothing_and_says_where(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=f"cache: .*{NAMES[0]} cannot be written: No space left on device; make room"):
        cache_entry(tmp_path, NAMES[0], fail)
    assert list(tmp_path.iterdir()) == []
