"""The commands of the language model as users run them: train, score, sample."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from composition import composed
from equal_runs import last, log
from safetensors.torch import load_file
from toy_language import lines
from toy_text import write
from toy_training import SETTINGS

from seq2seq.cli.app import main

pytestmark = pytest.mark.slow

SMALL = ["model.width=8", "cell=gru", "trainer.cores=1", "trainer.precision=fp32", "trainer.ema_decay=0.9"]
STREAM = ["reading.streams=4", "reading.bptt_length=10", "trainer.accumulation=2"]
BUDGET = ["schedule.warmup=5", "optimizer.learning_rate=0.01", "trainer.validate_every=20", "trainer.report_every=10"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with text in two languages."""
    folder = tmp_path_factory.mktemp("commands")
    for split, count in (("train", 200), ("valid", 20)):
        write(folder / "text", split, {"en": lines(count), "de": [line.swapcase() for line in lines(count, 9)]})
    return folder


def train(place: Path, run: str, updates: int, *more: str) -> int:
    text = [f"corpus.path={place}/text", "corpus=files", f"cache={place}/cache", "languages=[en]"]
    return main(
        ["train_language_model", *text, *SMALL, *BUDGET, f"run={place}/{run}", f"trainer.updates={updates}", *more]
    )


@pytest.fixture(scope="module")
def running(place: Path) -> Path:
    """A run on running text."""
    assert train(place, "running", 60, *STREAM) == 0
    return place / "running"


@pytest.fixture(scope="module")
def by_line(place: Path) -> Path:
    """A run on lines of both languages."""
    more = ["reading=lines", "reading.max_tokens=100", "trainer.accumulation=2", "languages=[de,en]"]
    assert train(place, "by_line", 60, *more) == 0
    return place / "by_line"


def written(place: Path, command: str, run: Path, *more: str) -> list[str]:
    """The lines that a command writes."""
    output = place / "output"
    assert main([command, f"model={run}", f"output={output}", "cores=1", *more]) == 0
    return output.read_text("utf-8").split("\n")[:-1]


def test_validation_tells_three_measures_of_one_loss(running: Path, by_line: Path) -> None:
    """Characters are tokens here, so that bits per character are the loss in bits."""
    for run in (running, by_line):
        found = [one["scores"] for one in log(run) if one["event"] == "validation"]
        for scores in found:
            assert isinstance(scores, dict)
            loss = torch.tensor(scores["loss"], dtype=torch.float64)
            assert scores["perplexity"] == pytest.approx(float(loss.exp()))
            assert scores["bits_per_character"] == pytest.approx(float(loss / torch.tensor(2.0).log()))
        assert found[-1]["loss"] < found[0]["loss"]  # type: ignore[index]


def test_the_same_command_goes_on_bit_for_bit(place: Path, running: Path) -> None:
    """Part of the budget, then the rest: the schedule must not depend on the budget here."""
    for name, budgets in (("whole", [30]), ("halves", [13, 30])):
        for updates in budgets:
            assert train(place, name, updates, *STREAM, "schedule=inverse_sqrt", "trainer.validate_every=5") == 0
    whole, halves = load_file(last(place / "whole")), load_file(last(place / "halves"))
    carried = [name for name in whole if name.startswith("carried/")]
    assert len(carried) == 6 and whole.keys() == halves.keys()
    assert all(torch.equal(whole[name], halves[name]) for name in whole)


def test_held_out_lines_score_as_validation_said(
    place: Path, by_line: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of lines read by themselves, the model that shipped is judged alike by both: over both languages together."""
    nats = tokens = 0.0
    for language in ("de", "en"):
        given = [f"input={place}/text/valid.{language}", f"language={language}", f"totals={place}/totals.json"]
        written(place, "score", by_line, *given)
        totals = json.loads((place / "totals.json").read_text("utf-8"))
        assert totals["lines"] == 20 and totals["tokens"] == totals["characters"]
        counted = f"perplexity {totals['perplexity']:.3f} over {totals['tokens']:,} tokens (each line's EOS included)"
        assert (
            f"20 of 20 lines scored: log-probability {-totals['nats']:,.1f} nats, {counted}" in capsys.readouterr().err
        )
        nats += totals["nats"]
        tokens += totals["tokens"]
    shipped = json.loads((by_line / "model" / "config.json").read_text("utf-8"))["scores"]["valid"]["loss"]
    assert nats / tokens == pytest.approx(shipped, rel=1e-3)


def test_score_writes_a_line_for_each_line(place: Path, running: Path) -> None:
    (place / "given").write_text("a b\n\nbb\n  \na☃b", "utf-8")
    text = written(place, "score", running, f"input={place}/given")
    found = [
        json.loads(line) for line in written(place, "score", running, f"input={place}/given", "output_format=json")
    ]
    assert (
        [line == "" for line in text]
        == [one["status"] == "blank" for one in found]
        == [False, True, False, True, False]
    )
    for line, one in zip(text, found, strict=True):
        if line:
            names = ("log_probability", "perplexity", "bits_per_character")
            assert [float(value) for value in line.split("\t")] == [one[name] for name in names]
            assert one["log_probability"] == pytest.approx(sum(value for _, value in one["tokens"]), abs=1e-3)
    best = [
        json.loads(line)
        for line in written(place, "score", running, f"input={place}/given", "output_format=json", "top_k=2")
    ]
    assert [[len(likeliest) for _, _, likeliest in one.get("tokens", ())] for one in best] == [
        [2] * 4,
        [],
        [2] * 3,
        [],
        [2] * 6,
    ]
    assert [piece for piece, _ in found[0]["tokens"]] == ["a", "▁", "b", "</s>"]
    assert len(found[4]["tokens"]) == 6  # an unknown character is three bytes


def test_samples_can_be_had_again(place: Path, running: Path) -> None:
    ten = written(place, "sample", running, "num_samples=10")
    assert len(ten) == 10 and len(set(ten)) > 3
    assert written(place, "sample", running, "num_samples=10", "batch_size=3") == ten
    assert written(place, "sample", running, "num_samples=5") == ten[:5]
    assert written(place, "sample", running, "num_samples=10", "search.seed=2") != ten


def test_beginnings_are_continued_in_order(place: Path, running: Path) -> None:
    (place / "given").write_text("a b\n\nbb\n", "utf-8")
    found = written(place, "sample", running, f"prompts={place}/given", "num_samples=2", "output_format=json")
    rows = [json.loads(line) for line in found]
    assert [row["beginning"] for row in rows] == ["a b", "a b", "", "", "bb", "bb"]
    assert all(row["text"].startswith(row["beginning"]) and row["log_probability"] < 0 for row in rows)
    for search in ("greedy", "beam"):
        best = written(
            place, "sample", running, f"prompts={place}/given", f"search={search}", "search.max_length_extra=9"
        )
        assert [line[: len(start)] for line, start in zip(best, ["a b", "", "bb"], strict=True)] == ["a b", "", "bb"]


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (["train_language_model", "corpus=files", "corpus.path=x"], 2, "languages: a value is needed"),
        (["sample", "model={running}", "num_samples=0"], 1, "num_samples: expected a positive int"),
        (["sample", "model={running}", "language=de"], 1, "this model knows en"),
        (["sample", "model={by_line}"], 1, "language: this model knows de, en; choose one"),
        (["score", "model={running}", "input=nowhere"], 1, "nowhere: cannot be read"),
        (["score", "model={running}", "cores=0"], 1, "cores: expected a positive int"),
        (["score", "model={running}", "top_k=2"], 1, "choose output_format=json"),
        (["translate", "model={running}"], 1, "got a language_model: use it with `seq2seq score`"),
    ],
)
def test_mistakes_are_named(
    running: Path, by_line: Path, command: Sequence[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([one.format(running=running, by_line=by_line) for one in command]) == code
    assert message in capsys.readouterr().err


def test_what_cannot_be_read_as_asked_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(place, "refused", 5, "languages=[de,en]") == 1
    assert "expected running text in one language, got de, en" in capsys.readouterr().err
    assert train(place, "refused", 5, "languages=[en-de]") == 1
    assert "expected languages by themselves" in capsys.readouterr().err
    translator = ["corpus=files", f"corpus.path={place}/text", "corpus.directions=[en]", "trainer.updates=1"]
    assert main(["train", *translator, f"run={place}/refused"]) == 1
    assert "en by itself has no translation" in capsys.readouterr().err


def test_whatever_it_is_called_less_loss_is_better() -> None:
    for name in ("loss", "perplexity", "bits_per_character"):
        settings = replace(SETTINGS, metric=name)
        assert settings.judge({name: 1.0}) > settings.judge({name: 2.0})
    bleu = replace(SETTINGS, metric="bleu")
    assert bleu.judge({"bleu": 1.0}) < bleu.judge({"bleu": 2.0})


def test_every_option_of_the_network_composes() -> None:
    node = composed("train_language_model", "corpus=files", "corpus.path=x", "languages=[en]", "cell=sru")
    assert node["model"]["cell"]["_target_"].endswith("SRU")
    assert node["corpus"]["directions"] == ["en"]
