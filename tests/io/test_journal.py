"""A translation that was killed is gone on with: the same files as if it had not been, and nothing twice."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from torch import Tensor
from toy_translator import DIRECTIONS, Echo, echo_translator, random_model, random_node, toy_tokenizer

from seq2seq.errors import DataError
from seq2seq.io.atomic import put
from seq2seq.io.journal import Journal
from seq2seq.io.text import GROWTH
from seq2seq.network.state import State
from seq2seq.search.greedy import Greedy
from seq2seq.translation import file
from seq2seq.translation.file import translate_file
from seq2seq.translation.folder import save

pytestmark = pytest.mark.slow

FIRST_OF_FILE = 128  # lines: a file of the usual 1,024 and thrice four times as many takes long
LINES = [["the dog", "two", "", "big house"][number % 4] for number in range(3 * GROWTH * FIRST_OF_FILE - 99)]
TWO_CHUNKS = LINES[: FIRST_OF_FILE + GROWTH * FIRST_OF_FILE]
BLANK = sum(not line for line in LINES)


class Slow(Echo):
    """Takes its time over every batch."""

    def start(self, source: Tensor, source_mask: Tensor) -> tuple[State, State]:
        time.sleep(0.05)
        return super().start(source, source_mask)


def translate(folder: Path, model: Echo, key: str | None = "the same") -> None:
    translator = echo_translator(model, Greedy(1.0, 2, 0.0, 0), batch=1000)
    translate_file(translator, "en", "de", folder / "in", folder / "out", "text", folder / "told", key)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(file, "FIRST_OF_FILE", FIRST_OF_FILE)
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in LINES), "utf-8")
    return tmp_path


def told(folder: Path) -> list[dict[str, object]]:
    """Without the times."""
    found = [json.loads(line) for line in (folder / "told").read_text("utf-8").splitlines()]
    assert all(one.pop("seconds") >= 0 for one in found)
    return found


def stop(folder: Path) -> None:
    """A call that is killed after its second chunk."""
    process = multiprocessing.get_context("fork").Process(target=translate, args=(folder, Slow()))
    process.start()
    journal, end = folder / ".out.journal", time.monotonic() + 60
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        assert time.monotonic() < end and process.is_alive()
        time.sleep(0.002)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (folder / "out").exists()


def test_a_killed_translation_goes_on_where_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stop(folder)
    with (folder / ".out.partial").open("ab") as torn:
        torn.write(b"half a li")
    model = Echo()
    translate(folder, model)
    assert (folder / "out").read_text("utf-8").splitlines() == LINES
    assert model.rows <= sum(map(bool, LINES)) - sum(map(bool, TWO_CHUNKS))  # they were not translated again
    said = capsys.readouterr().err
    assert "out: resuming after line" in said and f"{len(LINES):,} lines in" in said and f"{BLANK:,} blank" in said
    assert sorted(path.name for path in folder.iterdir()) == ["in", "out", "told"]
    found = told(folder)
    (folder / "out").unlink()
    translate(folder, Echo())
    assert told(folder) == found and [one["line"] for one in found] == list(range(1, len(LINES) + 1))


def test_another_key_begins_anew(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stop(folder)
    model = Echo()
    translate(folder, model, "another")
    assert model.rows == len(LINES) - BLANK
    assert (folder / "out").read_text("utf-8").splitlines() == LINES
    assert "resuming" not in capsys.readouterr().err


def test_without_its_partial_file_a_journal_is_worth_nothing(folder: Path) -> None:
    stop(folder)
    (folder / ".told.partial").unlink()
    model = Echo()
    translate(folder, model)
    assert model.rows == len(LINES) - BLANK and len(told(folder)) == len(LINES)


def test_killed_between_two_names_the_input_in_place_is_still_the_input(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it a translation already, the next call would translate it once more."""
    translator = echo_translator()

    def in_place(key: str) -> None:
        translate_file(translator, "en", "de", folder / "in", folder / "in", "text", folder / "told", key)

    named: list[Path] = []

    def killed(partial: Path, path: Path) -> None:
        if named:
            raise KeyboardInterrupt
        named.append(path)
        put(partial, path)

    before = (folder / "in").read_bytes()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("seq2seq.io.journal.put", killed)
        in_place("the same")
    assert named == [(folder / "told").resolve()] and (folder / "in").read_bytes() == before
    in_place("the same")
    assert len(told(folder)) == len(LINES) and (folder / "in").read_text("utf-8").splitlines() == LINES


def test_statuses_tell_what_became_of_each_line(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("the dog\n\n" + "the big house, " * 30 + "\n", "utf-8")
    translator = echo_translator(longest=32)
    for key in (None, "a key"):
        translate_file(translator, "en", "de", tmp_path / "in", tmp_path / "out", "text", tmp_path / "told", key)
        found = told(tmp_path)
        assert [one["status"] for one in found] == ["ok", "blank", "copied"]
        assert [one["notes"] for one in found] == [[], ["blank"], ["copied", "split"]]
        assert found[0]["ratio"] == 1.0 and found[1]["ratio"] is None
        assert [set(one) for one in found] == [{"line", "status", "notes", "score", "ratio"}] * 3


def test_two_that_write_the_same_file_are_refused(tmp_path: Path) -> None:
    first = Journal([tmp_path / "out"], "a key")
    with pytest.raises(DataError, match="out: another process is writing it"):
        Journal([tmp_path / "out"], "a key")
    first.close()


def test_the_command_knows_what_an_output_depends_on(
    seq2seq: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    save(tmp_path / "model", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    (tmp_path / "in").write_text("the dog\n\ntwo\n", "utf-8")
    asked = ["translate", "model=model", "source=en", "target=de", "input=in", "output=out", "status=told", "cores=1"]
    done = seq2seq(asked, tmp_path)
    lost = [one for one in told(tmp_path) if one["status"] == "truncated"]
    assert len(told(tmp_path)) == 3 and done.returncode == (3 if lost else 0), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "model", "out", "told"]
