"""Every YAML of conf/ composes into its command, builds what it names, and explains each of its lines."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from seq2seq.cli import COMMANDS, NEEDS_CORPUS
from seq2seq.config import build, configuration_folder

CONF = configuration_folder()
SMALL = ["model.width=16", "encoder.layers=1", "decoder.layers=1"]
TEXT = ["corpus=files", "corpus.path=nowhere", "corpus.directions=[en-de]"]
MODEL_PARTS = ("cell", "attention", "bridge", "sublayer", "encoder", "decoder", "network")
ELSEWHERE = ("hydra", "paper", "language_model")  # groups with a test of their own
COMMAND_OF = {"reading": "train_language_model"}  # of a group that `train` lacks
OPTIONS = sorted((path.parent.name, path.stem) for path in CONF.glob("*/*.yaml") if path.parent.name not in ELSEWHERE)


def composed(command: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONF.absolute()), version_base="1.3"):
        return OmegaConf.to_container(compose(command.replace(" ", "_"), list(overrides)), resolve=True)  # type: ignore[return-value]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_of_a_command_is_used(command: str) -> None:
    """Each top-level key is an argument of the command, or a part that another key refers to."""
    import importlib
    import inspect

    wanted = inspect.signature(importlib.import_module(f"seq2seq.command.{command.replace(' ', '_')}").run).parameters
    keys = set(composed(command, *(TEXT if command in NEEDS_CORPUS else ())))
    text = "".join(path.read_text("utf-8") for path in CONF.rglob("*.yaml"))
    assert [key for key in keys if key not in wanted and f"${{{key}}}" not in text] == []


@pytest.mark.parametrize(("group", "option"), [one for one in OPTIONS if one[0] in MODEL_PARTS])
def test_every_part_of_a_network_builds(group: str, option: str) -> None:
    key = "network@model" if group == "network" else group
    node = composed("train", *TEXT, f"{key}={option}", *SMALL)["model"]
    model = build(node, {"source_vocabulary": 20, "target_vocabulary": 20}, "model")
    assert sum(parameter.numel() for parameter in model.parameters()) > 0


@pytest.mark.parametrize(("group", "option"), [one for one in OPTIONS if one[0] not in (*MODEL_PARTS, "cleaning")])
def test_every_other_option_builds(group: str, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SEQ_DATA", raising=False)
    text = _filled(option) if group == "corpus" else TEXT
    command = COMMAND_OF.get(group, "train")
    node = composed(command, *text, *([f"{group}={option}"] if group != "corpus" else []))[group]
    assert build(node, where=group) is not None


@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "cleaning"])
def test_every_cleaning_builds(option: str) -> None:
    for name, node in composed("train", *TEXT, f"cleaning={option}")["cleaning"].items():
        assert build(node, where=f"cleaning.{name}") is not None


def test_one_cell_override_changes_both_sides() -> None:
    both = composed("train", *TEXT, "cell=gru")
    assert both["encoder"]["cell"] == both["decoder"]["cell"] != composed("train", *TEXT)["encoder"]["cell"]
    one = composed("train", *TEXT, "cell@decoder_cell=gru")
    assert one["decoder"]["cell"] == both["decoder"]["cell"] and one["encoder"]["cell"] != both["encoder"]["cell"]


def readme_overrides() -> list[str]:
    """What the README's table of overrides offers, one code span each."""
    readme = (CONF.parent / "README.md").read_text("utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    spans = [span for row in rows for span in re.findall(r"`([^`]+)`", row.split("|")[1])]
    return [span for span in spans if re.match(r"[a-z_.@]+=", span) and "FOLDER" not in span]


@pytest.mark.parametrize(("group", "form"), [("paper", "`paper={}`"), ("cell", "`{}`")])
def test_the_readme_names_every_choice(group: str, form: str) -> None:
    readme = (CONF.parent / "README.md").read_text("utf-8")
    assert [path.stem for path in (CONF / group).glob("*.yaml") if form.format(path.stem) not in readme] == []


@pytest.mark.parametrize("overrides", readme_overrides())
def test_the_readme_offers_what_composes(overrides: str) -> None:
    translating = ("threads=", "search", "precision=", "coverage=", "fusion.")
    command = ("translate", "model=x") if overrides.startswith(translating) else ("train", *TEXT)
    assert composed(*command, *overrides.split())


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_every_line_is_explained(path: Path) -> None:
    text = path.read_text("utf-8")
    bare = []
    block = None  # indentation of a block of text, whose lines are no YAML
    for number, line in enumerate(text.splitlines(), 1):
        indent = len(line) - len(line.lstrip())
        if block is not None and (not line.strip() or indent > block):
            continue
        block = indent if " |" in line else None
        heading = line.rstrip().endswith(":")  # its content is explained below
        if line.strip() and not heading and "#" not in line and line.strip() != "- _self_":
            bare.append(f"{number}: {line}")
    assert bare == []
    assert yaml.safe_load(text) is not None


def _filled(option: str) -> list[str]:
    """Overrides that give a corpus whatever it asks for."""
    node = yaml.safe_load((CONF / "corpus" / f"{option}.yaml").read_text("utf-8"))
    values = {"directions": "[en-de]", "path": "nowhere", "name": "nowhere"}
    return [f"corpus={option}", *(f"corpus.{key}={values[key]}" for key, value in node.items() if value == "???")]
