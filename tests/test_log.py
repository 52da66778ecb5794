"""The run's diary."""

import json
from pathlib import Path

from seq2seq.training.log import Log


def write(folder: Path, records: int, *updates: int) -> int:
    log = Log(folder, records, max(0, records))
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
    log = Log(tmp_path, 0, 0)
    log.write("validation", 1, {"scores": {"loss": float("nan"), "bleu": 2.0}, "norm": float("inf")})
    log.close()
    record = json.loads((tmp_path / "log.jsonl").read_text("utf-8"), parse_constant=lambda name: 1 / 0)
    assert record == {"event": "validation", "update": 1, "scores": {"loss": None, "bleu": 2.0}, "norm": None}
