"""`seq2seq train` on the command line, killed while it prepares and trains, told to stop, its newest checkpoint
damaged: noise, subword sampling, dropout, accumulation in several processes, a moving average and early stopping."""

import json
import signal
from pathlib import Path
from typing import NamedTuple

import pytest
from apart import ROOT, run
from equal_runs import assert_equal_runs

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "tests" / "kill_command.py"


class Killed(NamedTuple):
    """The folder of both runs, the exit codes, how many left workers behind, which checkpoint was damaged and what the
    last process said of it."""

    folder: Path
    codes: list[int]
    outlived: int
    damaged: str
    said: str


@pytest.fixture(scope="module")
def killed(toy_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    folder = tmp_path_factory.mktemp("killed")
    (folder / "text").symlink_to(toy_text)
    done = run(PROGRAM, [str(folder)])
    assert done.returncode == 0, done.stderr
    story = json.loads(done.stdout)
    return Killed(folder, story["codes"], story["outlived"], story["damaged"], story["said"])


def test_the_command_outlives_kills_and_damage(killed: Killed) -> None:
    """And two processes that share the work end as one does, bit for bit."""
    assert killed.codes == [-signal.SIGKILL] * 3 + [128 + signal.SIGTERM, 0, 0], killed
    assert_equal_runs(killed.folder / "killed", killed.folder / "whole")


def test_workers_end_with_their_run(killed: Killed) -> None:
    assert killed.outlived == 0


def test_the_user_is_told_of_the_damage(killed: Killed) -> None:
    assert f"warning: {killed.damaged} is damaged" in killed.said
    assert "falling back to the checkpoint before it" in killed.said and "resuming after update" in killed.said


def test_of_killed_preparations_nothing_is_left(killed: Killed) -> None:
    caches = [sorted(path.name for path in (killed.folder / f"{name}.c").iterdir()) for name in ("killed", "whole")]
    assert caches[0] == caches[1]
