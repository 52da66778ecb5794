"""The run's diary."""

import errno
import json
import resource
from pathlib import Path

import pytest

from seq2seq.errors import StorageError
from seq2seq.training.run_logger import LogFile, Reporter, RunLogger, TensorBoardLog


def write(folder: Path, records: int, *updates: int) -> int:
    log = LogFile(folder, records, max(0, records))
    for update in updates:
        log.write("training", update, {"loss": 1 / update})
    log.sync()
    log.close()
    return log.records


def updates(folder: Path) -> list[int]:
    return [json.loads(line)["update"] for line in (folder / "log.jsonl").read_text("utf-8").split("\n")[:-1]]


def test_records_after_the_checkpoint_are_cut(tmp_path: Path) -> None:
    assert write(tmp_path, 0, 1, 2, 3, 4) == 4
    assert write(tmp_path, 2, 3) == 3
    assert updates(tmp_path) == [1, 2, 3]


def test_a_torn_last_line_is_cut(tmp_path: Path) -> None:
    write(tmp_path, 0, 1, 2)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"event": "tr')
    assert write(tmp_path, 3, 3) == 3
    assert updates(tmp_path) == [1, 2, 3]


def test_numbers_that_json_lacks_become_null(tmp_path: Path) -> None:
    log = LogFile(tmp_path, 0, 0)
    log.write("validation", 1, {"scores": {"loss": float("nan"), "bleu": 2.0}, "norm": float("inf")})
    log.close()
    record = json.loads((tmp_path / "log.jsonl").read_text("utf-8"), parse_constant=lambda name: 1 / 0)
    assert record == {"event": "validation", "update": 1, "scores": {"loss": None, "bleu": 2.0}, "norm": None}


def test_a_full_disk_is_named_and_its_half_line_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.training.run_logger.available", lambda: False)
    write(tmp_path, 0, 1, 2)
    size = (tmp_path / "log.jsonl").stat().st_size
    log = LogFile(tmp_path, 2, 2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
    try:
        with pytest.raises(
            StorageError, match=r"log\.jsonl: File too large: allow larger files there; the same command"
        ):
            log.write("training", 3, {"loss": 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        log.close()
    assert (tmp_path / "log.jsonl").stat().st_size == size + 20
    assert write(tmp_path, 3, 3) == 3
    assert updates(tmp_path) == [1, 2, 3]


def test_the_run_goes_on_without_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*values: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(TensorBoardLog, "add", refused)
    assert write(tmp_path, 0, 1, 2) == 2
    assert caplog.text.count("no more TensorBoard events: [Errno 28] No space left") == 1


def test_lines_of_a_skipped_update_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with Reporter() as reporter:
        diary = RunLogger(tmp_path, 0, 0, reporter)
        (tmp_path / "skipped").write_text("a file where a folder should be")
        with pytest.raises(StorageError, match=r"skipped/00000007\.jsonl: File exists: fix that; the same command"):
            diary.skipped(7, 1.0, [("a", "b")])
        diary.close()


def test_tensorboard_reads_what_a_resumed_run_stands_by(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write(tmp_path, 0, 1, 2, 3, 4)
    write(tmp_path, 2, 3)  # which says again what came after update 2
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    found = [(one.step, round(one.value, 3)) for one in events.Scalars("training/loss")]
    assert found == [(1, 1.0), (2, 0.5), (3, 0.333)]
