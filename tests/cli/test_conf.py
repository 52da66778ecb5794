"""Every YAML of conf/ composes into its command, builds what it names, and explains each of its lines."""

import re
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

import pytest
import yaml
from composition import composed

from seq2seq.cli.app import COMMANDS
from seq2seq.cli.arguments import NEEDS_CORPUS, chosen
from seq2seq.config.build import build, configuration_folder

CONF = configuration_folder()
SMALL = ["model.width=16", "encoder.layers=1", "decoder.layers=1"]
TEXT = ["corpus=files", "corpus.path=nowhere", "corpus.directions=[en-de]"]
MODEL_PARTS = ("cell", "attention", "bridge", "sublayer", "encoder", "decoder", "network")
NAMED = ("cleaning", "augmentation")  # groups whose nodes are parts by name, so that several can be chosen
ELSEWHERE = ("hydra", "paper", "language_model")  # groups with a test of their own
COMMAND_OF = {"reading": "train_language_model"}  # of a group that `train` lacks
FAMILIES = {
    folder.name: sorted(path.stem for path in folder.glob("*.yaml"))
    for folder in sorted(CONF.iterdir())
    if folder.is_dir() and folder.name not in ELSEWHERE
}
# composing takes a tenth of a second: together the first of each family, the second ..., every member once
ROUNDS = [
    {family: option for family, option in zip(FAMILIES, options, strict=True) if option and family not in COMMAND_OF}
    for options in zip_longest(*FAMILIES.values())
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_of_a_command_is_used(command: str) -> None:
    """Each top-level key is an argument of the command, or a part that another key refers to."""
    import importlib
    import inspect

    wanted = inspect.signature(importlib.import_module(f"seq2seq.cli.{command.replace(' ', '_')}").run).parameters
    keys = set(composed(command, *(TEXT if command in NEEDS_CORPUS else ())))
    text = "".join(path.read_text("utf-8") for path in CONF.rglob("*.yaml"))
    assert [key for key in keys if key not in wanted and f"${{{key}}}" not in text] == []


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data on this machine."""
    monkeypatch.delenv("SEQ2SEQ_DATA", raising=False)


@pytest.mark.parametrize("chosen", ROUNDS, ids=lambda chosen: "-".join(chosen.values()))
def test_every_choice_builds(chosen: dict[str, str], nowhere: None) -> None:
    corpus = _filled(chosen["corpus"]) if "corpus" in chosen else TEXT
    overrides = [
        f"{'network@model' if family == 'network' else family}={option}"
        for family, option in chosen.items()
        if family != "corpus"
    ]
    node = composed("train", *corpus, *overrides, *SMALL)
    model = build(node["model"], {"source_vocabulary": 20, "target_vocabulary": 20}, "model")
    assert sum(parameter.numel() for parameter in model.parameters()) > 0
    for family in NAMED:
        for name, one in node[family].items():
            assert build(one, where=f"{family}.{name}") is not None
    for family in chosen.keys() - {*NAMED, *MODEL_PARTS}:
        assert build(node[family], where=family) is not None


@pytest.mark.parametrize(("family", "option"), [(one, name) for one in COMMAND_OF for name in FAMILIES[one]])
def test_every_choice_that_train_lacks_builds(family: str, option: str) -> None:
    assert build(composed(COMMAND_OF[family], *TEXT, f"{family}={option}")[family], where=family) is not None


def test_noise_of_evaluate_is_chosen_among_the_augmentations() -> None:
    words = [chosen("evaluate", word) for word in ("model=x", "noise=[upper,typos]", "noise.typos.rate=0.1")]
    node = composed("evaluate", *words)
    assert list(node["noise"]) == ["upper", "typos"] and node["noise"]["typos"]["rate"] == 0.1
    assert composed("evaluate", "model=x")["noise"] == {} == composed("train", *TEXT)["augmentation"]
    assert "joined" in composed("train", *TEXT, "augmentation=robust")["augmentation"]


def test_one_cell_override_changes_both_sides() -> None:
    both = composed("train", *TEXT, "cell=gru")
    assert both["encoder"]["cell"] == both["decoder"]["cell"] != composed("train", *TEXT)["encoder"]["cell"]
    one = composed("train", *TEXT, "cell@decoder_cell=gru")
    assert one["decoder"]["cell"] == both["decoder"]["cell"] and one["encoder"]["cell"] != both["encoder"]["cell"]


def page_overrides() -> list[str]:
    """What the pages' tables of overrides offer, one code span each."""
    texts = [path.read_text("utf-8") for path in (CONF.parent / "docs").rglob("*.md")]
    rows = [line for text in texts for line in text.splitlines() if line.startswith("| `")]
    spans = [span for row in rows for span in re.findall(r"`([^`]+)`", row.split("|")[1])]
    return [span for span in spans if re.match(r"(?!corpus=)[a-z_.@]+=", span) and "FOLDER" not in span]


@pytest.mark.parametrize(("group", "form"), [("paper", "`paper={}`"), ("cell", "`{}`")])
def test_the_pages_name_every_choice(group: str, form: str) -> None:
    page = (CONF.parent / "docs/reference/networks.md").read_text("utf-8")
    assert [path.stem for path in (CONF / group).glob("*.yaml") if form.format(path.stem) not in page] == []


def translates(overrides: str) -> bool:
    return overrides.startswith(("cores=", "search", "precision=", "coverage_penalty=", "fusion.", "translator."))


def apart(given: Iterable[str]) -> list[list[str]]:
    """Overrides shared out so that none meets another one of the same key, or a paper, which has many."""
    rounds: list[tuple[set[str], list[str]]] = []
    for overrides in dict.fromkeys(given):
        keys = {re.split(r"[.=@]", one)[0] for one in overrides.split()}
        free = [one for one in rounds if not one[0] & (keys | {"paper"})] if "paper" not in keys else []
        known, together = free[0] if free else (set(), [])
        if not free:
            rounds.append((known, together))
        known |= keys
        together.append(overrides)
    return [together for _, together in rounds]


@pytest.mark.parametrize("overrides", apart(filter(translates, page_overrides())), ids="; ".join)
def test_the_pages_offer_what_composes_for_translating(overrides: list[str]) -> None:
    assert composed("translate", "model=x", *" ".join(overrides).split())


@pytest.mark.parametrize("overrides", apart(one for one in page_overrides() if not translates(one)), ids="; ".join)
def test_the_pages_offer_what_composes_for_training(overrides: list[str]) -> None:
    assert composed("train", *TEXT, *" ".join(overrides).split())


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
