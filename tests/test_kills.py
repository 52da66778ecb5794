"""`seq2seq train` on the command line, killed while it prepares and trains: subword sampling, dropout, accumulation shared
by processes, a moving average, early stopping."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from equal_runs import assert_equal_runs

PROGRAM = Path(__file__).parent / "kill_command.py"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(PROGRAM.parent.parent),
    "OMP_WAIT_POLICY": "passive",  # threads that wait leave the cores to the other tests
}


@pytest.fixture(scope="module")
def killed(toy_text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[int]]]:
    folder = tmp_path_factory.mktemp("killed")
    (folder / "text").symlink_to(toy_text)
    command = [sys.executable, str(PROGRAM), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_the_command_outlives_kills_while_it_prepares_and_trains(killed: tuple[Path, dict[str, list[int]]]) -> None:
    folder, codes = killed
    assert codes["prepare"] == [-9, -9] and codes["train"] == [-9, -9] and codes["end"] == [0, 0], codes
    assert_equal_runs(folder / "killed", folder / "whole")


def test_of_killed_preparations_nothing_is_left(killed: tuple[Path, dict[str, list[int]]]) -> None:
    caches = [sorted(path.name for path in (killed[0] / f"{name}.c").iterdir()) for name in ("killed", "whole")]
    assert caches[0] == caches[1]
