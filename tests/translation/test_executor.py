"""Processes that translate side by side: the lines of one, in order, early; and what happens to them is said."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch
from apart import ROOT
from torch import Tensor
from toy_translator import DIRECTIONS, Echo, echo_translator, random_model, toy_tokenizer

from seq2seq.errors import ModelError
from seq2seq.network.state import State
from seq2seq.search.beam import Beam
from seq2seq.translation.executor import ForkedExecutor, InlineExecutor, executor
from seq2seq.translation.translation import Translation
from seq2seq.translation.translator import Translator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

FORKS = 6
PROGRAM = """
import threading
import torch
from seq2seq.translation import executor as executors

executors.PATIENCE = (0.5,) * 12
numbers = torch.randn(600, 600)

def multiply(*given):
    return float(sum((numbers @ numbers).sum() for _ in range(5)))

def several():
    torch.set_num_threads(4)
    multiply()

multiply.device = torch.device("cpu")
expected = multiply()
for _ in range(%d):
    several()
    thread = threading.Thread(target=several)
    thread.start()
    thread.join()
    inside = executors.executor(multiply, 2)
    print(abs(executors.wait(inside.submit([], None)) - expected) < 1, flush=True)
    inside.close()
"""
LINES = [" ".join(["the dog", "two", "big house", "", "x é"][number % 5 : number % 7]) for number in range(60)]


def translator(count: int = 60) -> Translator:
    parts = (random_model(), toy_tokenizer(), Beam(3, 1, "gnmt", 1.0, 1.0, 3, 0.0, 0), DIRECTIONS)
    return Translator(*parts, 100, count, torch.float32, torch.device("cpu"))


def untimed(translations: Iterable[Translation]) -> list[Translation]:
    """Without the seconds, which are never the same."""
    found = list(translations)
    assert all((one.seconds > 0) == bool(one.best) for one in found)
    return [one._replace(seconds=0.0) for one in found]


def test_processes_are_forked_beside_threads_that_multiply(tmp_path: Path) -> None:
    """A program that hung more often than not: a thread asks for more threads, multiplies and ends before the fork."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PROGRAM % FORKS]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "True\n" * FORKS), done.stderr


def test_three_processes_translate_as_one_does() -> None:
    expected = untimed(translator().translate(LINES, "en", "de"))
    several = translator()
    with several.in_processes(3):
        assert untimed(several.translate(LINES, "en", "de")) == expected
        assert untimed(several.translate(LINES[:7], "de", "en")) == untimed(
            translator().translate(LINES[:7], "de", "en")
        )
    assert len({one.text for one in expected}) > 5
    assert untimed(several.translate(LINES[:5], "en", "de")) == expected[:5]  # alone again


def test_the_first_lines_come_out_before_the_last_are_read() -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        for read in itertools.count(1):
            yield f"one {read}"

    several = echo_translator()
    with several.in_processes(2):
        translations = several.translate(endless(), "en", "de")
        assert next(translations).text == "one 1"
        assert read <= 16 * (1 + 4 + 16 + 64)  # the chunk that is waited for, and those ahead of it
        for _ in range(299):
            next(translations)
        translations.close()  # type: ignore[attr-defined]


class Broken(Echo):
    """Fails, or is killed, at long rows."""

    def __init__(self, kill: bool) -> None:
        super().__init__()
        self.kill = kill

    def start(self, source: Tensor, source_mask: Tensor) -> tuple[State, State]:
        if source.shape[1] > 12:
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError("such a long row")
        return super().start(source, source_mask)


@pytest.mark.parametrize(("kill", "message"), [(False, "(?s)failed:.*such a long row"), (True, "ended with code -9")])
def test_a_process_that_fails_or_vanishes_is_told_of(kill: bool, message: str) -> None:
    several = echo_translator(Broken(kill))
    with several.in_processes(2), pytest.raises(ModelError, match=message):
        list(several.translate(["one", "the big house", "the dog sees the house " * 5, "two"] * 9, "en", "de"))


class Hanging(Echo):
    """Never comes back."""

    def start(self, source: Tensor, source_mask: Tensor) -> tuple[State, State]:
        time.sleep(600)
        return super().start(source, source_mask)


def test_a_hung_process_does_not_keep_the_end_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after Ctrl-C."""
    monkeypatch.setattr("seq2seq.translation.executor.TO_END", 0.5)
    several = echo_translator(Hanging())
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), several.in_processes(2):
            workers = several._executor._workers  # type: ignore[attr-defined]
            signal.setitimer(signal.ITIMER_REAL, 2.0)
            list(several.translate(["one", "two"] * 40, "en", "de"))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert -signal.SIGKILL in [worker.process.exitcode for worker in workers]
    assert all(worker.process.exitcode is not None for worker in workers)


def test_processes_end_with_the_block() -> None:
    made = executor(translator().searcher, 2)
    assert isinstance(made, ForkedExecutor)
    pids = [worker.process.pid for worker in made._workers]
    made.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert isinstance(executor(translator().searcher, 1), InlineExecutor)
