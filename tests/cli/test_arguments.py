"""What a shell hands over arrives: names of places and text, whatever their characters, on every command."""

import functools
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from seq2seq.cli import app as cli
from seq2seq.cli.app import COMMANDS, main
from seq2seq.cli.arguments import QUOTED, arranged, choice_of
from seq2seq.cli.text_keys import Form, TextKeys, form
from seq2seq.config.build import configuration_folder

AWKWARD = "müller 猫[]{}()#&'\",:;= \\\n\t$~*?!%@+-/.<>|^`01éＡ\u202f\U0001f600\udcff"
NAMES = st.text(st.sampled_from(AWKWARD) | st.characters(exclude_characters="\0"), min_size=1, max_size=12)
SPECIAL = [
    "null",
    "true",
    "False",
    "nan",
    "1e5",
    "-1",
    "007",
    "0x1f",
    "inf",
    "1_000",
    "~",
    "a.b",
    "+5",
    "",
    "no",
    "[a",
    "{",
]
LITERAL = [name for name in SPECIAL if name not in ("null", "")]


@functools.cache
def keys(command: str, *arguments: str) -> TextKeys:
    file = command.replace(" ", "_")
    return TextKeys(file, lambda: cli._function(command), choice_of(arguments), [configuration_folder()])


def arrives(command: str, *arguments: str) -> Any:
    """What Hydra makes of the last override of a command line."""
    *_, word = arranged(command, list(arguments), keys(command, *arguments))
    override = OverridesParser.create().parse_override(word)
    config = OmegaConf.create({"place": None, "seed": 1})
    OmegaConf.update(config, "place", override.value(), merge=True)
    return OmegaConf.to_container(config, resolve=True)["place"]  # type: ignore[index, call-overload]


@settings(max_examples=100, deadline=None)
@given(NAMES | st.sampled_from(LITERAL))
def test_a_place_or_text_arrives_as_it_is(name: str) -> None:
    if QUOTED.fullmatch(name) or name == "???":
        return
    assert arrives("translate", f"input={name}") == name
    assert arrives("train", "corpus=files", f"corpus.path={name}") == name


@settings(max_examples=100, deadline=None)
@given(st.lists(NAMES | st.sampled_from(LITERAL), max_size=3))
def test_items_of_a_list_arrive_as_they_are(names: list[str]) -> None:
    """But for a comma or an outer space, which need quotes around the item."""
    kept = [one for one in names if one == one.strip() and "," not in one and one[0] not in "'\"" and one != "???"]
    assert arrives("translate", f"model=[{','.join(kept)}]") == kept
    assert arrives("train", "corpus=files", f"corpus.train=[{', '.join(kept)}]") == kept


@settings(max_examples=100, deadline=None)
@given(st.lists(NAMES.filter(lambda name: "\\" not in name and "${" not in name), max_size=3))
def test_quotes_of_hydra_mean_what_they_mean(names: list[str]) -> None:
    quoted = ["'" + name.replace("'", "\\'") + "'" for name in names]
    assert arrives("translate", f"model=[{','.join(quoted)}]") == names
    for name, one in zip(names, quoted, strict=True):
        assert arrives("translate", f"input={one}") == name


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["translate", "input=null"], None),  # the YAML says what null means
        (["translate", "input='null'"], "null"),
        (["train", "run=null"], "null"),  # a run folder is never null
        (["train", "corpus=files", "corpus.columns={en:müller,de:b c}"], "{en:müller,de:b c}"),  # files have none
        (["train", "corpus=datasets", "corpus.columns={en:müller,de:b c}"], {"en": "müller", "de": "b c"}),
        (["train", "corpus=tsv", "corpus.columns=[1,true, müller ]"], ["1", "true", "müller"]),
        (["train", "corpus=multi30k", "corpus.path=~/ü"], "~/ü"),
        (["train", "corpus=multi30k", "corpus.local.train=[ü,2016]"], ["ü", "2016"]),
        (["train", "tokenizer=existing", "tokenizer.folder=ü a"], "ü a"),
        (["train", "tokenizer=unigram", "tokenizer.source_tags=[ü,1]"], ["ü", "1"]),
        (["train", "tokenizer.vocab_size=500"], 500),
        (["train", "trainer.updates=+500"], "+500"),
        (["train", "trainer.hours=0.5"], 0.5),
        (["train", "trainer.metric=ü"], "ü"),
        (["train", 'freeze=[encoder,"*.bias",*.ü]'], ["encoder", "*.bias", "*.ü"]),
        (["train", "+corpus.columns.en=ü"], "ü"),
        (["train_language_model", "corpus=files", "languages=[no,1]"], ["no", "1"]),
        (["translate", "fusion.language_model=ü a"], "ü a"),
        (["translate", "fusion.weight=0.2"], 0.2),
        (["translate", "weights=[2,1]"], [2, 1]),
        (["translate", "cores=ü"], "ü"),  # the type check says what is expected
        (["translate", "inptu=ü"], "ü"),  # so does Hydra
        (["translate", "model=[a]/b"], "[a]/b"),
        (["translate", "model=[]"], []),
        (["train", "run=runs/${seed}"], "runs/1"),
        (["train", "run=runs/${x}"], "runs/${x}"),
        (["train", "run=\\${seed}\\"], "\\1\\"),
        (["sample", "prompts=-"], "-"),
        (["evaluate", "test=[2016]"], ["2016"]),
        (["analyse curves", "run=[a b,c]"], ["a b", "c"]),
    ],
)
def test_values(arguments: list[str], value: object) -> None:
    assert arrives(*arguments) == value


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("cell=lstm,gru", ["lstm", "gru"]),
        ("run=runs/ü,runs/b c", ["runs/ü", "runs/b c"]),
        ("run='a,b',c", ["a,b", "c"]),
        ("seed=choice(1,2)", [1, 2]),
        ("run=choice(a,b)", ["a", "b"]),
        ("corpus.train=[a,ü],[c]", [["a", "ü"], ["c"]]),
        ("trainer.updates=1,2", [1, 2]),
    ],
)
def test_sweeps(argument: str, values: list[object]) -> None:
    _, word, _ = arranged("train", ["corpus=files", argument, "-m"], keys("train", "corpus=files"))
    swept = OverridesParser.create().parse_override(word).sweep_string_iterator()
    assert [OverridesParser.create().parse_override(f"a={one}").value() for one in swept] == values


PLACES = (
    "run",
    "cache",
    "model",
    "init_from",
    "input",
    "output",
    "translations",
    "alignments",
    "glossary",
    "dictionary",
)
PLACES += ("status", "hypotheses", "references", "results", "totals", "prompts")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_place_of_every_command_is_a_place(command: str) -> None:
    """In the signature, where `~` is seen to and Hydra's grammar kept away."""
    function = cli._function(command)
    hints = typing.get_type_hints(function)
    for name, annotation in hints.items():
        if name in PLACES and "dict" not in str(annotation):
            assert "Path" in str(annotation) and "str" not in str(annotation), (command, name)
            found = keys(command).form(name)
            assert found is not None and found.scalar


AWKWARD_NAMES = ["müller.txt", "猫 [1] #&'\".txt", "a=b,c:d.txt", "null", "2016", "${x}\\", "~nobody-here"]


@pytest.mark.parametrize("name", AWKWARD_NAMES)
def test_files_of_such_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("ein Hund läuft\n", "utf-8")
    given = f"./{name}" if name == "null" else name
    folder = f"out {name}"
    assert main(["evaluate", f"hypotheses={given}", f"references={given}", "target=de", f"output={folder}"]) == 0
    assert Path(folder, "evaluation.json").is_file()


def test_home_and_places_that_are_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("ein Hund läuft\n", "utf-8")
    assert main(["evaluate", "hypotheses=~/a.txt", "references=~/a.txt", "target=de", "output=~/ü"]) == 0
    assert Path("ü/evaluation.json").is_file()
    assert main(["translate", "model=~/nowhere"]) == 1 and f"{tmp_path}/nowhere" in capfd.readouterr().err
    assert main(["translate", "model=[~/x,~/y]"]) == 1 and f"{tmp_path}/x" in capfd.readouterr().err
    assert main(["translate", "model=x", "input="]) == 1
    assert "input: expected a file or folder or null, got ''" in capfd.readouterr().err


def test_a_folder_for_temporary_files_of_such_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "mü [a], 'b'"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    Path(tmp_path, "a.txt").write_text("ein Hund läuft\n", "utf-8")
    assert main(["evaluate", f"hypotheses={tmp_path}/a.txt", f"references={tmp_path}/a.txt", "target=de"]) == 0


def test_text_is_told_from_what_may_be_something_else() -> None:
    assert form(int | str) is None and form(int) is None and form(list[int]) is None
    assert form(Path | list[Path]) == Form(scalar=True, items=True)
    assert form(Sequence[str] | str | None) == Form(scalar=True, items=True, nullable=True)
    assert form(dict[str, str]) == Form(entries=True)
