"""Whatever file operation of a training or a preparation fails, and however, the same command again ends as if not."""

import json
import re
import shutil
from pathlib import Path

import pytest
from apart import ROOT, run
from equal_runs import assert_equal_runs
from fault_training import NUMBERS, Case
from faulty_files import AUDITED

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "tests" / "fault_training.py"
# a disk without locks, a folder that is there already, a name that already stands there
MAY_FAIL_PREPARING = r"flock .*|mkdir \..*|(read|fsync) \."
# a folder that is there already, what is in nobody's way, what the log holds too
MAY_FAIL = r"mkdir \.|(open|write) events.*|(read|list|remove|rmdir) (checkpoints/\.writing|\.model\.previous).*"


class Faults:
    """The folder of the runs and what happened to each."""

    def __init__(self, folder: Path) -> None:
        done = run(PROGRAM, [str(folder)])
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
        if case.run == "prepared":
            continue
        if not case.said:  # what could not be removed stays where it was
            shutil.rmtree(faults.folder / case.folder / ".model.previous", ignore_errors=True)
        try:
            assert_equal_runs(faults.folder / case.folder, faults.folder / "whole")
        except BaseException as error:
            raise AssertionError(f"after {case}") from error


def test_nothing_has_a_name_before_it_is_whole(faults: Faults) -> None:
    assert [case for case in faults.cases if not case.readable] == []


def test_the_same_preparation_again_ends_the_same(faults: Faults) -> None:
    wanted = content(faults.folder / "prepared")
    assert {name.split("-")[0] for name in wanted} == {"tokenizer", "train", "valid"}
    for case in faults.cases:
        if case.run == "prepared":
            found = content(faults.folder / case.folder)
            left = [name for name in found.keys() - wanted.keys() if case.said or not name.startswith(".")]
            assert not left and wanted.items() <= found.items(), case


def test_what_the_system_refuses_is_one_error_that_names_the_file_and_says_what_to_do(faults: Faults) -> None:
    reasons = {"disk full": "No space left on device", "no permission": "Permission denied"}
    advice = {"disk full": "free space there", "no permission": "allow this user to read and write there"}
    for case in faults.cases:
        if case.fault == "death" or not case.said:
            continue
        place, reason = str(faults.folder / case.folder), reasons[case.fault]
        if case.run != "prepared":
            end = f": {reason}: {advice[case.fault]}; the same command then resumes from the last checkpoint"
            assert case.said.startswith(f"StorageError: {place}") and case.said.endswith(end), case
        elif case.operation.startswith("read"):  # of what is finished
            assert place in case.said and reason in case.said, case
        else:
            end = f"cannot be written: {reason}; make room or set another cache="
            assert case.said.startswith(f"DataError: cache: {place}") and case.said.endswith(end), case


def test_nothing_that_matters_fails_in_silence(faults: Faults) -> None:
    silent = [case for case in faults.cases if not case.said]
    allowed = {"whole": MAY_FAIL, "resumed": MAY_FAIL, "prepared": MAY_FAIL_PREPARING}
    assert silent and [case for case in silent if not re.fullmatch(allowed[case.run], case.operation)] == []


def content(cache: Path) -> dict[str, bytes]:
    """The bytes of every file."""
    return {str(path.relative_to(cache)): path.read_bytes() for path in cache.rglob("*") if path.is_file()}
