"""Curves: what the log says and nothing else, in a picture and in a page that needs nothing but itself."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from seq2seq.analysis.curves import Curves, read
from seq2seq.analysis.drawing import page
from seq2seq.cli.app import main
from seq2seq.errors import DataError

pytestmark = pytest.mark.slow

TRAINING = [
    {"event": "training", "update": 10, "loss": 4.0, "learning_rate": 0.1, "tokens": 1000, "seconds": 36.0, "cuts": 0},
    {"event": "training", "update": 20, "loss": None, "learning_rate": 0.2, "tokens": 3000, "seconds": 72.0, "cuts": 1},
]
VALIDATION = {
    "event": "validation",
    "update": 15,
    "scores": {"loss": 3.5, "bleu": 7.0},
    "better": True,
    "seconds": 54.0,
}
AVERAGE = {"event": "average", "update": 30, "scores": {"loss": 3.0, "bleu": 9.0}, "seconds": 90.0}


def run_folder(folder: Path, *records: dict[str, object], torn: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{json.dumps(record)}\n" for record in records)
    (folder / "log.jsonl").write_text(text + torn, "utf-8")
    return folder


def panel(curves: Curves, name: str) -> dict[str, tuple[object, object]]:
    """What a panel shows: places on all axes and values, by event."""
    found = [one for one in curves.panels if one.name == name]
    return {curve.event: (dict(curve.x), list(curve.y)) for one in found for curve in one.curves}


def test_the_curves_are_the_log(tmp_path: Path) -> None:
    curves = read([run_folder(tmp_path / "a", *TRAINING, VALIDATION, AVERAGE)])
    assert [one.name for one in curves.panels] == ["loss", "validation_bleu", "learning_rate"]
    assert panel(curves, "loss") == {
        "training": ({"update": [10, 20], "tokens": [1000, 3000], "hours": [0.01, 0.02]}, [4.0, None]),
        "validation": ({"update": [15], "tokens": [2000], "hours": [0.015]}, [3.5]),
        "average": ({"update": [30], "tokens": [4500], "hours": [0.025]}, [3.0]),
    }
    assert panel(curves, "learning_rate")["training"][1] == [0.1, 0.2]
    assert curves.axes() == ["update", "tokens", "hours"]


def test_a_run_that_is_writing_loses_its_half_line_only(tmp_path: Path) -> None:
    whole = read([run_folder(tmp_path / "a", *TRAINING)])
    torn = read([run_folder(tmp_path / "a", *TRAINING, torn='{"event": "validation", "upd')])
    assert torn == whole and "validation" not in panel(whole, "loss")


def test_what_a_resumed_run_wrote_again_counts_once(tmp_path: Path) -> None:
    again = {**TRAINING[1], "loss": 2.5}
    curves = read([run_folder(tmp_path / "a", *TRAINING, VALIDATION, again)])
    assert panel(curves, "loss")["training"][1] == [4.0, 2.5]


def test_quantities_nobody_has_heard_of_are_shown_too(tmp_path: Path) -> None:
    scores = {"comet": 0.5, "bleu": 1.0, "accuracy": 97.0}
    curves = read(
        [run_folder(tmp_path / "a", {**TRAINING[0], "new": 1.5, "accuracy": 0.5}, {**VALIDATION, "scores": scores})]
    )
    titles = ["loss", "validation BLEU", "validation accuracy", "validation comet", "accuracy", "learning rate", "new"]
    assert [one.title.split(" (")[0] for one in curves.panels] == titles
    assert list(panel(curves, "accuracy")) == ["training"]  # a share there, percent in the scores


def test_without_tokens_that_axis_is_not_offered(tmp_path: Path) -> None:
    assert read([run_folder(tmp_path / "a", VALIDATION)]).axes() == ["update", "hours"]
    assert main(["analyse", "curves", f"run={tmp_path / 'a'}", "x_axis=tokens", "formats=[html]"]) == 1


def test_runs_are_told_apart_by_the_shortest_paths(tmp_path: Path) -> None:
    folders = [run_folder(tmp_path / "x" / name, *TRAINING) for name in ("a", "b/seed=1")]
    curves = read(folders)
    assert curves.runs == ["a", "b/seed=1"]
    assert [curve.run for curve in curves.panels[0].curves] == [0, 1]
    assert read(folders[:1]).runs == ["a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "log.jsonl: No such file or directory; give the folder of a run"),
        ("", "no records yet"),
        ('{"event": "tra', "no records yet"),
        ('{"event": "training"}\n', r"log.jsonl:1: expected a record with event and update"),
        ("[]\nnonsense\n", r"log.jsonl:1: expected a record"),
    ],
)
def test_what_is_no_log_is_said(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "log.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        read([tmp_path])


def test_the_page_holds_the_curves_and_needs_nothing_else(tmp_path: Path) -> None:
    curves = read([run_folder(tmp_path / name, *TRAINING, VALIDATION) for name in ("</script><b>", "a")])
    text = page(curves, "hours")
    found = re.search(r"^const data = (.*);$", text, re.MULTILINE)
    assert found is not None and text.count("</script>") == 1
    content = json.loads(found[1])
    assert content["runs"] == ["</script><b>", "a"] and content["axis"] == "hours"
    assert [[curve["y"] for curve in one["curves"]] for one in content["panels"]] == [
        [list(curve.y) for curve in one.curves] for one in curves.panels
    ]
    outside = re.findall(r"https?://[^\"]+|src=|@import|<link", text.replace(found[1], ""))
    assert outside == ["http://www.w3.org/2000/svg"]  # the name of the format: nothing is fetched


def test_the_command_writes_both_into_the_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path / "a", *TRAINING, VALIDATION, AVERAGE)
    assert main(["analyse", "curves", f"run={folder}"]) == 0
    assert capfd.readouterr().out.splitlines() == [str(folder / "curves.png"), str(folder / "curves.html")]
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "curves.html").read_text("utf-8").startswith("<!doctype html>")


def test_several_runs_go_where_they_are_told(tmp_path: Path) -> None:
    folders = [str(run_folder(tmp_path / name, *TRAINING)) for name in ("a", "b")]
    both = f"run=[{','.join(folders)}]"
    assert main(["analyse", "curves", both, f"output={tmp_path / 'c'}", "formats=[html]"]) == 0
    assert sorted(path.name for path in tmp_path.rglob("curves.*")) == ["curves.html"]
    assert '"runs": ["a", "b"]' in (tmp_path / "c" / "curves.html").read_text("utf-8")


def test_matplotlib_is_asked_for_only_by_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = run_folder(tmp_path / "a", *TRAINING)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["analyse", "curves", f"run={folder}"]) == 1
    assert "pip install 'seq2seq[plots]', or give formats=[html]" in capfd.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["log.jsonl"]
    assert main(["analyse", "curves", f"run={folder}", "formats=[html]"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["analyse"], 2, "analyse curves "),
        (["analyse", "--help"], 0, "analyse curves "),
        (["analyse", "curvse"], 2, "did you mean analyse curves?"),
        (["analyse", "curves"], 2, "run: a value is needed"),
        (["analyse", "curves", "run=nowhere"], 1, "nowhere/log.jsonl: No such file"),
        (["analyse", "curves", "run=nowhere", "x_axis=days"], 1, "x_axis: expected"),
        (["analyse", "curves", "run=nowhere", "formats=[svg]"], 1, "formats"),
        (["analyse", "curves", "run=[]"], 1, "at least one run folder"),
    ],
)
def test_subjects_and_mistakes(
    arguments: list[str], code: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    said = capfd.readouterr()
    assert message in said.out + said.err and "Traceback" not in said.err
