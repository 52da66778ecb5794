"""What differs outside Linux: without fcntl nothing is locked, and without fork one process translates."""

import multiprocessing
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from apart import ROOT

from seq2seq.translation import executor

WITHOUT_FCNTL = """
    import os, sys
    from pathlib import Path
    sys.modules["fcntl"] = None  # as on Windows
    from seq2seq.data.dataset.cache import cache_entry
    from seq2seq.io.atomic import locked
    from seq2seq.io.journal import Done, Journal
    from seq2seq.training.run_config import run_lock
    here = Path(sys.argv[1])
    with run_lock(here / "run"), locked(here):
        journal = Journal([here / "out"], "key")
        journal.write([["a", "b"]], Done(2, [], {}, {}))
        journal.finish()
        journal.close()
    made = cache_entry(here / "cache", "train-0123456789abcdef", lambda folder: (folder / "x").write_text("y"))
    print((here / "out").read_text().split(), (made / "x").read_text())
"""


def test_without_fcntl_files_are_written_but_not_locked(tmp_path: Path) -> None:
    code = [sys.executable, "-c", textwrap.dedent(WITHOUT_FCNTL), str(tmp_path)]
    done = subprocess.run(code, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.stdout == "['a', 'b'] y\n", done.stderr


def test_only_linux_translates_in_forked_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor.sys, "platform", "darwin")
    assert not executor._forks()
    monkeypatch.setattr(executor.sys, "platform", "linux")
    assert executor._forks()
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    assert not executor._forks()
