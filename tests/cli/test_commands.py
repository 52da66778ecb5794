"""Every command as users run it: exit codes, messages, and what is written where."""

import gc
import importlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import pytest
import yaml
from apart import fresh
from conftest import Runner
from hydra._internal.hydra import Hydra
from small_run import SMALL, corpus

from seq2seq.cli.app import COMMANDS, main
from seq2seq.errors import Seq2SeqError

pytestmark = pytest.mark.slow


class Run(NamedTuple):
    """A folder in which a tiny model was trained, with the command that did it and what it said."""

    folder: Path
    command: list[str]
    said: str


@pytest.fixture(scope="module")
def trained(toy_text: Path, seq2seq: Runner, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("work")
    command = ["train", *corpus(toy_text), *SMALL, "run=runs/toy"]
    done = seq2seq(command, folder)
    assert done.returncode == 0, done.stderr
    return Run(folder, command, done.stderr)


def test_train_writes_its_run_and_nothing_else(trained: Run) -> None:
    assert sorted(path.name for path in trained.folder.iterdir()) == ["runs"]
    assert sorted(path.name for path in (trained.folder / "runs").iterdir()) == ["cache", "toy"]
    run = trained.folder / "runs" / "toy"
    assert {"config.yaml", "log.jsonl", "checkpoints", "model"} <= {path.name for path in run.iterdir()}
    assert sorted(path.name for path in (run / "model").iterdir()) == [
        "README.md",
        "config.json",
        "languages.safetensors",
        "model.safetensors",
        "tokenizer.model",
    ]
    events = [json.loads(line)["event"] for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    assert "validation" in events


def test_the_same_command_says_that_the_run_is_finished(trained: Run, seq2seq: Runner) -> None:
    weights = (trained.folder / "runs/toy/model/model.safetensors").read_bytes()
    again = seq2seq(trained.command, trained.folder)
    assert again.returncode == 0 and "finished" in again.stderr and "preparing" not in again.stderr
    assert (trained.folder / "runs/toy/model/model.safetensors").read_bytes() == weights


def test_translate_pipes_line_by_line(trained: Run) -> None:
    """In a process that is started as users start one; the others are forks of one that has imported everything."""
    command = ["translate", "model=runs/toy", "source=en", "target=de"]
    done = fresh(command, trained.folder, "one dog\n\nred\u2028cat\n")
    lines = done.stdout.split("\n")
    assert done.returncode == (3 if "truncated" in done.stderr else 0), done.stderr
    assert len(lines) == 4 and lines[1] == "" and lines[3] == "" and lines[0]


def test_translate_reads_and_writes_files_and_model_folders(trained: Run, seq2seq: Runner, toy_text: Path) -> None:
    files = [f"input={toy_text / 'test.en'}", "output=out.de"]
    done = seq2seq(["translate", "model=runs/toy/model", "source=en", *files], trained.folder)
    assert done.returncode in (0, 3) and done.stdout == "", done.stderr
    assert (trained.folder / "out.de").read_text("utf-8").count("\n") == 12
    (trained.folder / "out.de").unlink()


def test_evaluate_writes_every_direction_with_signatures(trained: Run, seq2seq: Runner) -> None:
    done = seq2seq(["evaluate", "model=runs/toy", "search=greedy", "search.max_length_ratio=1"], trained.folder)
    assert done.returncode == 0, done.stderr
    assert "en-de" in done.stdout and "version:" in done.stdout
    scores = json.loads((trained.folder / "runs/toy/evaluation.json").read_text("utf-8"))
    assert sorted(scores["test"]) == ["de-en", "en-de"]
    assert all({"bleu", "chrf", "ter", "signature"} <= set(one) for one in scores["test"].values())
    card = (trained.folder / "runs/toy/model/README.md").read_text("utf-8")
    assert "| text/test | de-en | greedy | fp32 |" in card and "| text/train | training | 400 |" in card


def test_doctor_says_what_would_spoil_a_training(toy_text: Path, seq2seq: Runner, tmp_path: Path) -> None:
    command = ["doctor", *corpus(toy_text), *SMALL[:2], "doctor.max_leakage=1"]
    healthy = seq2seq([*command, "output=report.json"], tmp_path)
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["problems"] == 0
    ill = seq2seq([*command, "tokenizer.vocab_size=5000"], tmp_path)
    assert ill.returncode == 1 and "problem" in ill.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_evaluate_scores_files(toy_text: Path, capfd: pytest.CaptureFixture[str]) -> None:
    same = [f"hypotheses={toy_text / 'test.de'}", f"references={toy_text / 'test.de'}", "target=de"]
    assert main(["evaluate", *same]) == 0
    assert "100.0" in capfd.readouterr().out


def test_a_sweep_gives_every_job_its_own_run(trained: Run, toy_text: Path, seq2seq: Runner) -> None:
    sweep = ["train", *corpus(toy_text), *SMALL, "trainer.updates=1", "run=runs/sweep", "cell=lstm,gru", "-m"]
    done = seq2seq(sweep, trained.folder)
    assert done.returncode == 0, done.stderr
    runs = sorted(path.name for path in (trained.folder / "runs/sweep").iterdir())
    assert runs == ["cell=gru", "cell=lstm"]
    assert sorted(path.name for path in trained.folder.iterdir()) == ["runs"]


def test_config_dir_adds_choices(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "mine.yaml").write_text("_target_: seq2seq.search.greedy.Greedy\nmax_length_ratio: 7.5\n")
    options = ["--config-dir", str(tmp_path), "--cfg", "job"]
    assert main(["translate", "search=mine", *options, "model=x"]) == 0  # options may stand anywhere
    assert "max_length_ratio: 7.5" in capfd.readouterr().out


@pytest.fixture(scope="module")
def listed_once() -> Iterator[None]:
    """Hydra takes a second to list the choices for a help page, which are those of conf/ whatever the command."""
    listed = Hydra.format_config_groups
    pages: dict[str, str] = {}

    def remembered(hydra: Hydra, predicate: Callable[[str], bool], compact: bool = True) -> str:
        if predicate.__name__ not in pages:
            pages[predicate.__name__] = listed(hydra, predicate, compact)
        return pages[predicate.__name__]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hydra, "format_config_groups", remembered)
        yield


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command: str, listed_once: None, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0
    said = capfd.readouterr().out
    assert f"seq2seq {command}" in said and "search: beam," in said


def test_configuration(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "corpus=files", "--cfg", "job"]) == 0
    assert yaml.safe_load(capfd.readouterr().out)["corpus"]["_target_"].endswith(".Files")


def test_program_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0 and main([]) == 0
    said = capfd.readouterr().out
    assert all(command in said for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["trian"], 2, "did you mean train?"),
        (["train"], 2, "You must specify 'corpus'"),
        (["train", "corpus=filse"], 2, "files"),
        (["train", "corpus=files", "corpus.path=x"], 2, "corpus.directions: a value is needed"),
        (["translate", "model=x", "translator.usual_source=9"], 2, "no key any more: write translator.max_sentences="),
        (["train", "corpus=files", "translator.usual_source=9"], 2, "no key any more: write translator.max_sentences="),
        (["translate", "model=x", "search.best=9"], 2, "search.best was renamed to search.n_best"),
        (["translate", "model=x", "translator.untranslated.letterless=copy"], 2, "renamed to translator.passthrough"),
        (["translate", "model=x", "threads=9"], 2, "threads was renamed to cores"),
        (["translate", "model=x", "+threads=9"], 1, "threads was renamed to cores"),
        (["train", "corpus=files", "threads=9"], 2, "unknown key threads"),
        (["train", "corpus=files", "trainer.hour=1"], 2, "unknown key trainer.hour, did you mean hours?"),
        (["train", "corpus=files", "cell=lsmt"], 2, "lstm"),
        (["train", "corpus=files", "oops"], 2, "oops"),
        (["train", "corpus=files", "--bad"], 2, "--bad"),
        (["translate"], 2, "model: a value is needed"),
        (["translate", "model=nowhere"], 1, "nowhere: no such folder"),
        (["translate", "model=nowhere", "cores=two"], 1, "cores: expected int or null, got 'two'"),
        (["translate", "model=sweep/cell=gru,seed=1"], 1, "sweep/cell=gru,seed=1: no such folder"),
        (["analyse", "curves", "run=[sweep/seed=1,sweep/seed=2]"], 1, "sweep/seed=1/log.jsonl: No such file"),
        (["evaluate"], 1, "model: expected"),
        (["evaluate", "hypotheses=a"], 1, "hypotheses=, references= and target= together"),
        (["train", "corpus=files", "corpus.path=nowhere", "corpus.directions=[en-de]"], 1, "nowhere"),
        (["train", "corpus=files", "corpus.path=x", "corpus.directions=[en]"], 1, "corpus"),
    ],
)
def test_mistakes_get_one_clean_message(
    arguments: list[str], code: int, message: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert main(arguments) == code
    finally:
        os.chdir(before)
    said = capfd.readouterr()
    assert message in said.err and "Traceback" not in said.err and said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_missing_environment_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SEQ2SEQ_DATA", raising=False)
    assert main(["prepare", "corpus=eutrans"]) == 1
    assert "SEQ2SEQ_DATA" in capfd.readouterr().err


@pytest.mark.parametrize("fails", [False, True])
def test_garbage_is_collected_but_while_a_command_is_imported(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, real = [], importlib.import_module

    def found(name: str) -> ModuleType | SimpleNamespace:
        if name != "seq2seq.cli.evaluate":
            return real(name)
        seen.append(gc.isenabled())
        if fails:
            raise Seq2SeqError("is not there")
        return SimpleNamespace(run=lambda: seen.append(gc.isenabled()))

    monkeypatch.setattr("seq2seq.cli.app.importlib.import_module", found)
    assert main(["evaluate"]) == (1 if fails else 0)
    assert seen == ([False] if fails else [False, True]) and gc.isenabled()


def test_tracebacks_only_when_asked(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("SEQ2SEQ_TRACEBACK", "1")
    assert main(["translate", "model=nowhere"]) == 1
    assert "Traceback" in capfd.readouterr().err
