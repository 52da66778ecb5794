"""The comparison of translating: what it times, counts, refuses, stores, shows; `cat` stands in for toolkits."""

import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from seq2seq.config.build import configuration_folder

RECIPE = Path(__file__).parent.parent / "recipes" / "benchmark"


@pytest.fixture(scope="module", autouse=True)
def recipe() -> Iterator[None]:
    """The scripts that stand beside translate.sh can be imported."""
    before = set(sys.modules)
    sys.path.insert(0, str(RECIPE))
    yield
    sys.path.remove(str(RECIPE))
    for name in set(sys.modules) - before:
        if str(RECIPE) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def script(name: str) -> ModuleType:
    return importlib.import_module(name)


class Cat:
    """A contestant whose translations are its lines; `program` takes the place of cat."""

    name = "cat"

    def __init__(self, program: str = "cat") -> None:
        self.program = program

    def install(self) -> None:
        pass

    def train(self, minutes: float, threads: int) -> None:
        pass

    def translate(self, source: Path, output: Path, beam: int, threads: int) -> Any:
        return script("contestant.base").Command(["sh", "-c", self.program], source, output)

    def stream(self, beam: int) -> Any:
        return script("contestant.base").Command(["sh", "-c", self.program])


@pytest.fixture
def race(tmp_path: Path) -> Any:
    for language in ("en", "de"):
        lines = [f"{language} {number} word word" for number in range(200)]
        (tmp_path / f"test.{language}").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return script("race").Race(tmp_path / "race", script("captions").Captions(tmp_path), [0], 0.01)


def test_a_speed_counts_what_a_longer_file_adds(race: Any) -> None:
    sleeping = Cat("while read -r line; do printf '%s\\n' \"$line\"; done; sleep 0.2")
    found, translated = race.speed(sleeping, 1, 1, [])
    assert translated == race.test and found["lines"] == 200
    assert found["words"] == pytest.approx(4 * found["sentences"])
    assert found["command_seconds"] > 0.2 and found["sentences"] > 100 / found["command_seconds"]
    again, translated = race.speed(sleeping, 1, 1, [{"lines": 500}])
    assert again["lines"] == 500 and translated[400:] == translated[:100]


@pytest.mark.parametrize(
    ("program", "said"), [("head -n 5", "5 lines came out"), ("echo broken >&2; exit 3", "broken")]
)
def test_who_loses_lines_or_fails_is_left_out(race: Any, program: str, said: str) -> None:
    records = script("records").Records(race.folder / "records.json", {"asked": {}}, False)
    chosen = type("Chosen", (), {"minutes": 1.0, "cores": [0]})
    ready = script("translation").ready
    assert ready(Cat(), chosen, race, records) and "left_out" not in records.head
    with pytest.raises(script("contestant.base").UnavailableError, match=said):
        race.speed(Cat(program), 1, 1, [])
    failing = Cat("exit 3")
    assert not ready(failing, chosen, race, records) and "code 3" in records.head["left_out"]["cat"]


def test_memory_and_first_line_of_a_command(tmp_path: Path) -> None:
    base, output = script("contestant.base"), tmp_path / "output"
    program = "import time; held = b'x' * 60_000_000; print('first', flush=True); time.sleep(0.4)"
    below = ["sh", "-c", f'"{sys.executable}" -c "{program}"; true']  # not the process that is started, but its child
    watched = script("watched").watch(base.Command(below, None, output), output, [0])
    assert 60_000_000 < watched.peak < 200_000_000
    assert 0 < watched.first < watched.seconds - 0.3


def test_a_process_that_ends_while_it_is_looked_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the system refuses to tell of it, as it does between two glances; the watcher goes on."""
    watched = script("watched")

    def gone(*given: object, **named: object) -> None:
        raise ProcessLookupError("no such process")

    for module, name in ((os, "scandir"), (os, "listdir"), (os, "killpg"), (Path, "read_text"), (Path, "open")):
        monkeypatch.setattr(module, name, gone)
    looking = watched.Looking(os.getpid(), tmp_path / "output", time.perf_counter() - 2 * watched.LIMIT)
    threading.Timer(0.05, looking._ended.set).start()
    looking.run()
    assert watched._tree(os.getpid()) == [os.getpid()]
    assert looking.peak == 0 and looking.first == float("inf") and watched._busy([0]) == 0


def test_a_line_waits_for_its_translation_only(race: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = Cat("while read -r line; do sleep 0.005; echo one two; done")
    found = race.latency(answering, 1, 20)
    assert found["lines"] == 20 and found["words"] == 2 and 0.005 < found["median"] <= found["late"]
    monkeypatch.setattr(script("latency"), "PATIENCE", 0.05)
    with pytest.raises(script("contestant.base").UnavailableError, match="line by line"):
        race.latency(Cat("sleep 5"), 1, 20)
    with pytest.raises(script("contestant.base").UnavailableError, match="ended before"):
        race.latency(Cat("read -r line; echo one"), 1, 20)


def test_the_percentile_is_a_value_that_so_many_do_not_exceed() -> None:
    percentile = script("latency").percentile
    assert percentile([float(value) for value in range(100, 0, -1)], 0.95) == 95.0
    assert percentile([1.0, 2.0, 3.0], 0.95) == 3.0 and percentile([4.0], 0.5) == 4.0


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    lines, file = script("captions").lines, tmp_path / "text"
    for text in ("", "one\n", "\n\n", "a\u2028b\r\n\n", "no end"):
        file.write_bytes(text.encode())
        assert len(lines(file)) == text.count("\n") + (text == "no end")


def test_training_ends_when_its_time_is_spent_and_a_failure_is_told(tmp_path: Path) -> None:
    base, log = script("contestant.base"), tmp_path / "log"
    base.spend(0.001, 1, ["sleep", "50"], log)
    with pytest.raises(base.UnavailableError, match="no such corpus"):
        base.spend(1.0, 1, ["sh", "-c", "echo no such corpus; exit 1"], log)


def test_records_survive_and_go_on_only_with_the_same_questions(tmp_path: Path) -> None:
    file, made = tmp_path / "records.json", script("records").Records
    made(file, {"asked": {"turns": 2}}, False).add({"kind": "disk", "who": "cat", "bytes": 1})
    again = made(file, {"asked": {"turns": 2}}, True)
    asked = {"kind": "disk", "who": "cat"}
    assert again.find(asked) == [{**asked, "bytes": 1}] and not again.find({"kind": "disk", "who": "dog"})
    script("translation").note(again, asked, lambda: pytest.fail("it was measured before"))
    assert made(file, {"asked": {"turns": 2}}, False).list == []
    with pytest.raises(SystemExit, match="begin anew"):
        made(file, {"asked": {"turns": 3}}, True)


def test_turns_alternate_and_none_is_forgotten() -> None:
    assert list(script("translation").interleaved(["a", "b"], [1, 2, 3])) == ["a", 1, "b", 2, 3]


def test_a_size_is_that_of_files_and_all_in_folders(tmp_path: Path) -> None:
    (tmp_path / "model" / "inner").mkdir(parents=True)
    for name in ("one", "model/two", "model/inner/three"):
        (tmp_path / name).write_bytes(b"12345")
    assert script("contestant.base").size([tmp_path / "one", tmp_path / "model"]) == 15


def test_what_is_measured_of_ours_can_be_asked_for(tmp_path: Path) -> None:
    ours = script("contestant.ours").Ours(tmp_path, "fp32 translator.batch_tokens=500")
    for beam in script("translation").BEAMS:
        for command in (ours.translate(tmp_path / "in", tmp_path / "out", beam, 2), ours.stream(beam)):
            overrides = command.arguments[command.arguments.index("translate") + 1 :]
            with initialize_config_dir(str(configuration_folder().absolute()), version_base="1.3"):
                node = compose("translate", overrides)
            assert node.search.get("beam_size", 1) == beam and node.translator.batch_tokens == 500


def test_tables_show_ratios_of_means_and_what_failed(tmp_path: Path) -> None:
    table, captions = script("translation_table"), script("captions").Captions(tmp_path)
    theirs = {one.name for one in script("translation").peers(("opennmt", "marian", "joeynmt"), captions)}
    assert set(table.BASES) < theirs and len(theirs) == 4
    records = script("records").Records(tmp_path / "file", {"asked": {}, "machine": "a machine", "load": [0.5]}, False)
    base = table.BASES[0]
    common = {"kind": "speed", "cores": 4, "beam": 5, "lines": 1000, "command_seconds": 2.0, "peak": 3e6}
    for who, speeds in ((base, (90.0, 110.0)), ("ours", (550.0, 650.0))):
        for turn, speed in enumerate(speeds):
            shares = {"own": 0.9, "others": 0.05}
            records.add({**common, **shares, "who": who, "turn": turn, "sentences": speed, "words": 12 * speed})
    records.add({"kind": "latency", "who": "ours", "beam": 1, "turn": 0, "failed": "does not answer"})
    shown = table.markdown(records)
    assert "| 4 | beam 5 | ours | 550.0, 650.0 | 600.0 | 7,200 | 1,800 | 6.00 |  | 1,000 |" in shown
    assert shown.index("| ours |") < shown.index(f"| {base} |") and "Failed: ours, latency, greedy: does not" in shown
    assert json.loads((tmp_path / "file").read_text("utf-8"))["records"] == records.list
