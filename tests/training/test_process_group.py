"""Laws of several processes: the run of one, but for the order of sums; and whoever fails ends all, by name."""

import json
import socket
from pathlib import Path

import pytest
import torch
from apart import ROOT, run
from equal_runs import assert_equal_runs, last, log
from safetensors.torch import load_file
from team_training import team_trainer

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "tests" / "team_training.py"
Codes = dict[str, list[int | None]]


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Codes]:
    """Runs of teams: their folder, and the exit codes of their processes."""
    folder = tmp_path_factory.mktemp("teams")
    done = run(PROGRAM, [str(folder)])
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run in one process."""
    folder = tmp_path_factory.mktemp("alone")
    team_trainer(folder).train()
    return folder


@pytest.mark.parametrize(("name", "size"), [("two", 2), ("four", 4), ("five", 5)])
def test_a_team_ends_with_the_weights_and_the_log_of_one_process(
    teams: tuple[Path, Codes], alone: Path, name: str, size: int
) -> None:
    """Five processes have four batches to share out, and an epoch of seven ends in an update of three."""
    folder, codes = teams
    assert codes[name] == [0] * size
    ours, theirs = load_file(last(folder / name)), load_file(last(alone))
    assert ours.keys() == theirs.keys()
    for key in theirs:
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-4, atol=1e-5)
    for record, expected in zip(log(folder / name), log(alone), strict=True):
        assert numbers(record) == pytest.approx(numbers(expected), rel=1e-4)
    assert "finished" in said(folder, name, 0) and not any(said(folder, name, rank) for rank in range(1, size))


def test_a_process_that_fails_ends_all_with_its_name_and_reason(teams: tuple[Path, Codes]) -> None:
    folder, codes = teams
    assert codes["raise"] == [1, 1]
    assert said(folder, "raise", 1) == "the disk is gone\n"
    assert f"rank 1 of 2 on {socket.gethostname()} failed: OSError: the disk is gone" in said(folder, "raise", 0)


def test_a_process_that_hangs_ends_all_with_its_name(teams: tuple[Path, Codes]) -> None:
    folder, codes = teams
    assert codes["hang"] == [1, -9, 1]
    for rank in (0, 2):
        assert f"rank 1 of 3 on {socket.gethostname()} was killed, or is stuck" in said(folder, "hang", rank)


@pytest.mark.parametrize("name", ["signal", "validation"])  # to the second between updates, to the first in one
def test_a_signal_to_one_process_stops_all_with_everything_saved(
    teams: tuple[Path, Codes], alone: Path, name: str
) -> None:
    folder, codes = teams
    assert codes[name] == [143, 143]
    assert "the same command resumes" in said(folder, name, 0)
    team_trainer(folder / name).train()
    assert [record["update"] for record in log(folder / name)] == [record["update"] for record in log(alone)]


def test_torchrun_starts_a_team_again_that_lost_a_process(teams: tuple[Path, Codes], tmp_path: Path) -> None:
    done = run(PROGRAM, [str(tmp_path / "run"), "die"])
    assert done.returncode == 0, done.stderr
    assert "resuming after update" in done.stderr and "exitcode" in done.stderr.lower()
    assert_equal_runs(tmp_path / "run", teams[0] / "two")


def numbers(record: dict[str, object]) -> dict[str, float]:
    scores = record.get("scores", {})
    assert isinstance(scores, dict)
    return {name: value for name, value in {**record, **scores}.items() if isinstance(value, int | float)}


def said(folder: Path, name: str, rank: int) -> str:
    return (folder / f"{name}-said-{rank}").read_text("utf-8")
