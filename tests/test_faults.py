"""Whatever file operation fails, and however, the same command again ends as a run that nothing happened to."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from equal_runs import assert_equal_runs
from fault_training import NUMBERS, Case
from faulty_files import AUDITED

PROGRAM = Path(__file__).parent / "fault_training.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROGRAM.parent.parent)}
MAY_FAIL = (
    r"mkdir \.|(read|list|remove|rmdir) (checkpoints/\.writing|\.model\.previous).*"  # it is there, or in nobody's way
)


class Faults:
    """The folder of the runs and what happened to each."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, str(PROGRAM), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
        assert done.returncode == 0, done.stderr
        self.folder = folder
        self.cases = [Case(**one) for one in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return Faults(tmp_path_factory.mktemp("faults"))


def test_every_kind_of_operation_failed(faults: Faults) -> None:
    failed = {case.operation.split()[0] for case in faults.cases if case.fault != "death"}
    assert failed == set(AUDITED.values()) | {"read", "write", "fsync"}
    assert {case.fault for case in faults.cases} == set(NUMBERS)
    deaths = [case for case in faults.cases if case.fault == "death"]
    assert {case.said for case in deaths} == {"killed"}
    assert {case.operation.split()[0] for case in deaths} >= {"write", "rename", "remove", "mkdir", "fsync", "open"}


def test_the_same_command_again_ends_the_same(faults: Faults) -> None:
    for case in faults.cases:
        if not case.said:  # what could not be removed stays where it was
            shutil.rmtree(faults.folder / case.folder / ".model.previous", ignore_errors=True)
        try:
            assert_equal_runs(faults.folder / case.folder, faults.folder / "whole")
        except BaseException as error:
            raise AssertionError(f"after {case}") from error


def test_what_the_system_refuses_is_one_error_that_names_the_file_and_says_what_to_do(faults: Faults) -> None:
    advice = {"disk full": ": No space left on device: free space there", "no permission": ": Permission denied: allow"}
    for case in faults.cases:
        if case.fault != "death" and case.said:
            assert case.said.startswith(f"StorageError: {faults.folder / case.folder}"), case
            assert advice[case.fault] in case.said, case
            assert case.said.endswith("the same command then goes on from the last checkpoint"), case


def test_nothing_that_matters_fails_in_silence(faults: Faults) -> None:
    silent = [case for case in faults.cases if not case.said]
    assert silent and [case for case in silent if not re.fullmatch(MAY_FAIL, case.operation)] == []
