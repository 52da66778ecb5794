"""Laws of places: whatever two keys of a command mean one file, it is refused before anything is written."""

import os
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from seq2seq.cli.app import main
from seq2seq.cli.paths import INPUT, OUTPUT, StandardStream, Tree, check_places
from seq2seq.errors import ConfigError
from seq2seq.io.text import writing

READ = {  # command -> the keys of files that it reads, and what else it needs to come so far
    "translate": (["input", "glossary", "dictionary"], ["model=model"]),
    "score": (["input", "translations"], ["model=model"]),
    "sample": (["prompts"], ["model=model"]),
    "label": (["input", "references"], ["model=model"]),
    "generate": (["input"], ["model=model"]),
}
WRITTEN = {
    "translate": ["output", "status", "alignments"],
    "score": ["output", "totals", "alignments"],
    "sample": ["output"],
    "label": ["output", "results"],
    "generate": ["output"],
}
PAIRS = [
    *((command, one, other) for command in READ for one in READ[command][0] for other in WRITTEN[command]),
    *((command, one, other) for command in READ for one, other in combinations(WRITTEN[command], 2)),
]
pytestmark = pytest.mark.slow
LEGAL = [("translate", "input", "output")]


def refused(folder: Path, arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """What is said of a command line in a folder, none of whose files it may change."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(arguments) == 1
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return capfd.readouterr().err


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a text and something like a model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("one\ntwo\n")
    (tmp_path / "model").mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.model", "README.md"):
        (tmp_path / "model" / name).write_text("{}")
    return tmp_path


@pytest.mark.parametrize(("command", "one", "other"), [pair for pair in PAIRS if pair not in LEGAL])
def test_two_keys_of_one_file(
    command: str, one: str, other: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    more = ["references=labels"] if command == "label" and "references" not in (one, other) else []
    (here / "labels").write_text("a\nb\n")
    said = refused(here, [command, *READ[command][1], f"{one}=text", f"{other}=./text", *more], capfd)
    assert f"{one}" in said and f"{other}" in said and "text" in said, said


MODEL_FILES = ["config.json", "model.safetensors", "tokenizer.model", "README.md"]


@pytest.mark.parametrize(
    ("command", "name"),
    [*(("translate", name) for name in MODEL_FILES), *((command, "config.json") for command in READ)],
)
def test_a_file_of_the_model(command: str, name: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = refused(here, [command, *READ[command][1], f"output=model/{name}"], capfd)
    assert "output:" in said and "would overwrite the input model" in said


CORPUS = ["corpus=files", "corpus.path=corpus", "corpus.directions=[en-de]"]
FOLDERS = {  # command line -> the two keys
    "doctor output=corpus/train.en": ("output", "corpus"),
    "doctor output=corpus/valid.de.gz": ("output", "corpus"),
    "prepare cache=corpus/train.en": ("cache", "corpus"),
    "train run=model/run": ("run", "model folder"),
    "train run=model": ("run", "model folder"),
    "train run=old init_from=old": ("run", "init_from"),
    "train run=old init_from=old/model": ("run", "init_from"),
    "train run=old tokenizer=existing tokenizer.folder=old": ("run", "tokenizer.folder"),
    "train run=linked init_from=old": ("run", "init_from"),
    "train run=new cache=new/model": ("run", "cache"),
    "train run=new cache=new/checkpoints/cache": ("run", "cache"),
    "export model=old output=old/model": ("output", "model"),
    "export model=old output=old": ("output", "model"),
    "export model=old output=linked/model": ("output", "model"),
    "export model=old output=old/model/small": ("output", "model"),
    "export model=old/model output=old/../old/model": ("output", "model"),
    "evaluate hypotheses=scores/evaluation.json references=text target=de output=scores": ("output", "hypotheses"),
    "evaluate references=scores/evaluation.json hypotheses=text target=de output=scores": ("output", "references"),
    "analyse curves run=linked output=pictures": ("output", "run"),
}


@pytest.mark.parametrize("line", FOLDERS)
def test_folders_and_what_is_written_into_them(line: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("train.en", "train.de", "valid.en", "valid.de.gz"):
        (here / "corpus" / name).parent.mkdir(exist_ok=True)
        (here / "corpus" / name).write_bytes(b"a\n")
    (here / "old").mkdir()
    (here / "model").rename(here / "old" / "model")
    if "run=model" in line:
        (here / "old" / "model").rename(here / "model")
    (here / "linked").symlink_to(here / "old")
    for name in ("scores", "pictures"):
        (here / name).mkdir()
    (here / "scores" / "evaluation.json").write_text("{}")
    (here / "old" / "log.jsonl").write_text("")
    (here / "pictures" / "curves.html").symlink_to(here / "old" / "log.jsonl")
    command, *given = line.split()
    command, given = (f"{command} {given[0]}", given[1:]) if command == "analyse" else (command, given)
    corpus = [*CORPUS, "corpus.test=[]"] if command in ("doctor", "prepare", "train") else []
    more = ["formats=[html]"] if command.startswith("analyse") else []
    said = refused(here, [*command.split(), *corpus, *given, *more], capfd)
    assert all(key in said for key in FOLDERS[line]), said


SAME: dict[str, Callable[[Path], Path]] = {
    "itself": lambda path: path,
    "through its folder's folder": lambda path: path.parent / ".." / path.parent.name / path.name,
    "a link": lambda path: _linked(path, path.with_name("link")),
    "a link to a link": lambda path: _linked(_linked(path, path.with_name("link")), path.with_name("second")),
    "in a folder that is a link": lambda path: _linked(path.parent, path.parent.parent / "folder") / path.name,
    "a hard link": lambda path: _hard(path, path.with_name("hard")),
    "what is under way": lambda path: path.with_name(f".{path.name}.partial"),
    "the journal": lambda path: path.with_name(f".{path.name}.journal"),
    "another case, where the disk takes it for the same": lambda path: (
        path.with_name("FILE") if path.with_name("FILE").exists() else path
    ),
}


def _linked(path: Path, link: Path) -> Path:
    link.symlink_to(path)
    return link


def _hard(path: Path, link: Path) -> Path:
    os.link(path, link)
    return link


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("exists", [True, False], ids=["a file", "not yet a file"])
def test_all_names_of_one_file(name: str, exists: bool, tmp_path: Path) -> None:
    path = tmp_path / "in" / "file"
    path.parent.mkdir()
    if exists or "hard" in name:
        path.write_text("a\n")
    other = SAME[name](path)
    for read, written in (({}, {"one": [path], "two": [other]}), ({"one": [other]}, {"two": [path]})):
        with pytest.raises(ConfigError, match="two"):
            check_places(read, written)
    with pytest.raises(ConfigError, match=r"(?s)one.*two"):
        check_places({"one": [path]}, {"two": [Tree(tmp_path)]})
    with pytest.raises(ConfigError, match=r"(?s)two.*one"):
        check_places({"one": [Tree(tmp_path)]}, {"two": [other]})


def test_what_may_be_named_twice(tmp_path: Path) -> None:
    """Devices, pipes, streams; files with different names or endings; a file that is read twice."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("a\n")
    for place in (Path("/dev/null"), tmp_path / "pipe", Path("/dev/stdout"), Path("/dev/fd/2"), OUTPUT):
        check_places({}, {"one": [place], "two": [place]})
    check_places({"one": [tmp_path / "file"], "two": [tmp_path / "file"]}, {"three": [tmp_path / "file.gz"]})
    check_places({"one": [tmp_path / "file"]}, {"two": [tmp_path / "file"]}, in_place=[("one", "two")])
    check_places({"one": [Tree(tmp_path / "a")]}, {"two": [tmp_path / "b"], "three": [Tree(tmp_path / "ab")]})
    check_places({"one": [tmp_path / "missing" / "a"]}, {"two": [tmp_path / "missing" / "b"]})


def test_a_standard_stream_that_is_a_file(tmp_path: Path) -> None:
    """As the shell's `> file` makes it."""
    path = tmp_path / "file"
    with path.open("w+b") as file:
        stream = StandardStream(file.fileno())
        for place in (path, Path(f"/dev/fd/{file.fileno()}")):
            with pytest.raises(ConfigError, match="one: "):
                check_places({"two": [place]}, {"one": [stream]})
        with pytest.raises(ConfigError, match="one and two"):
            check_places({}, {"one": [stream], "two": [path]})
        with pytest.raises(ConfigError, match="one: "):
            check_places({"two": [stream]}, {"one": [path]})
        check_places({}, {"one": [stream], "two": [Path(f"/dev/fd/{file.fileno()}")]})
    check_places({"one": [INPUT]}, {"two": [OUTPUT], "three": [path]})


def test_a_stream_behind_which_a_file_stands_is_not_written_anew(tmp_path: Path) -> None:
    """Two writers of it, as of a pipe, lose nothing."""
    with (tmp_path / "file").open("wb") as file:
        place = Path(f"/dev/fd/{file.fileno()}")
        with writing(place) as one, writing(place) as other:
            one(["a"])
            other(["b"])
            one(["c"])
    assert (tmp_path / "file").read_text() == "a\nb\nc\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


DIRECTED = "corpus=files corpus.path=corpus corpus.directions=[en-de]"
TRAINING = "cache=cache run=run trainer.updates=1"
USES = [(f"{command} model=model", key) for command in READ for key in WRITTEN[command]]
LINES = [  # a command, and its key of a place that is written
    *USES,
    ("export model=model", "output"),
    ("label model=model references=text", "results"),
    (f"evaluate model=model {DIRECTED} corpus.test=[train]", "output"),
    ("evaluate hypotheses=text references=text target=en", "output"),
    (f"prepare {DIRECTED}", "cache"),
    (f"doctor {DIRECTED}", "output"),
    (f"train {DIRECTED} {TRAINING}", "run"),
    (f"train {DIRECTED} {TRAINING}", "cache"),
    (f"train_tagger {DIRECTED} {TRAINING}", "run"),
    (f"train_language_model corpus=files corpus.path=corpus languages=[en] {TRAINING}", "run"),
]


@pytest.mark.parametrize(("line", "key"), [one for one in LINES if one != ("label model=model", "results")])
def test_a_place_that_cannot_be(line: str, key: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Below a file, and in a folder of the system that takes no files even from the superuser."""
    (here / "corpus").mkdir()
    for name in ("train.en", "train.de", "valid.en", "valid.de"):
        (here / "corpus" / name).write_text("a\n")
    for folder, above in (("text", here), ("/proc/none", Path("/proc"))):
        said = refused(here, [*line.split(), f"{key}={folder}/x/place"], capfd)
        assert f"error: {key}: {folder}/x/place" in said and f"because {above}" in said and "is not writable" in said
