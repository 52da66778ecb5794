"""The card says what config.json says, as Markdown; scores find their way into both."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_folder import set_keys
from toy_labels import LABELS, SHALLOW, run, write
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

from seq2seq.data.corpus.files import Files
from seq2seq.errors import ModelError
from seq2seq.evaluation.evaluate import record_scores
from seq2seq.evaluation.metric import score
from seq2seq.model_folder.card import card
from seq2seq.model_folder.config import read_config
from seq2seq.model_folder.folder import amend, convert, read
from seq2seq.translation.folder import load, save

ABOUT = {
    "license": "cc-by-4.0",
    "tokenizer": {"algorithm": "bpe", "sizes": [290, 290]},
    "training": {"updates": 1644, "tokens": 2400599, "seconds": 740.8, "signatures": {"bleu": "nrefs:1|tok:13a"}},
    "data": {
        "splits": {"toy/train": {"use": "training", "pairs": 29000, "sha256": "ab" * 32}},
        "pairs": 29000,
        "kept": 28000,
    },
}
VALID = {"valid": {"loss": 1.5, "bleu": 31.25}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "model", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, VALID, ABOUT)
    return tmp_path / "model"


def config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    return found


def text(folder: Path) -> str:
    return (folder / "README.md").read_text("utf-8")


def front(card: str) -> dict[str, Any]:
    """What hubs read of it."""
    found: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return found


def results() -> Any:
    """Two test sets of lines that are half right."""
    found = score(["ein Hund", "eine Katze"], ["ein Hund", "ein Haus"], "de")
    return {"test": {"en-de": found}, "more": {"en-de": found}}


def corpus(folder: Path) -> Files:
    for name in ("test", "more"):
        write(folder, f"{name}.en", ["a dog", "a house"])
        write(folder, f"{name}.de", ["ein Hund", "ein Haus"])
    return Files(str(folder), ["en-de"], [], [], [], ["test", "more"])


def test_the_card_is_what_config_json_says(folder: Path) -> None:
    """Nothing else, so that it can be written anew at any time."""
    assert text(folder) == card(config(folder)) == card(dict(reversed(list(config(folder).items()))))


def test_the_card_tells_what_it_was_told(folder: Path) -> None:
    found = text(folder)
    for fact in ("cc-by-4.0", "bpe, 290 pieces", "1,644 updates, 2,400,599 target tokens, 12.3 minutes", "ab" * 32):
        assert fact in found
    for fact in ("28,000 of 29,000", "loss 1.50, BLEU 31.25", "nrefs:1|tok:13a", "en-de, de-en", "2 layers of LSTM"):
        assert fact in found
    assert f"{sum(one.numel() for one in random_model().parameters()):,}" in found
    heading = front(found)
    assert heading["language"] == ["en", "de"] or sorted(heading["language"]) == ["de", "en"]
    assert (heading["license"], heading["pipeline_tag"], heading["metrics"]) == ("cc-by-4.0", "translation", ["bleu"])


def test_norwegian_is_a_language_and_a_missing_fact_is_left_out() -> None:
    found = card({"kind": "translator", "languages": ["no", "en"], "directions": [["no", "en"]], "toolkit": "9"})
    assert front(found)["language"] == ["no", "en"] and "license" not in front(found)
    assert "None" not in found and "## Data" not in found and "## Scores" not in found


@pytest.mark.parametrize("odd", [None, 3, "text", [], [1, [2]], {"a": None}, {"a": {"b": {"c": []}}}])
def test_odd_facts_break_no_card(folder: Path, odd: object) -> None:
    whole = config(folder)
    for key in whole:
        assert card({**whole, key: odd})
        for inner in whole[key] if isinstance(whole[key], dict) else ():
            assert card({**whole, key: {**whole[key], inner: odd}})


def test_scores_of_tests_stand_in_both(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    sums = config(folder)["sha256"]
    how = {"search": {"_target_": "seq2seq.search.beam.Beam", "beam_size": 5, "words": "/home"}, "precision": "fp32"}
    record_scores(folder, "toy/", corpus(tmp_path / "text"), results(), how, said.append)
    assert config(folder)["sha256"].keys() == sums.keys() and config(folder)["sha256"] != sums
    once = {path.name: path.read_bytes() for path in folder.iterdir()}
    scores = load(folder).scores  # whose checksums are right
    assert scores["toy/test"]["en-de"]["bleu"] == results()["test"]["en-de"].bleu and scores["valid"] == VALID["valid"]
    row = next(line for line in text(folder).splitlines() if line.startswith("| toy/test | en-de"))
    assert row.startswith("| toy/test | en-de | beam 5 | fp32 |") and row.endswith("| 50.0 |")
    assert results()["test"]["en-de"].signature["ter"] in text(folder)
    assert "/home" not in json.dumps(config(folder))
    assert config(folder)["data"]["splits"]["toy/more"]["pairs"] == 2
    record_scores(folder, "toy/", corpus(tmp_path / "text"), results(), how, said.append)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == once and said == []


def test_two_that_add_scores_at_once_lose_none(folder: Path) -> None:
    """Each reads, thinks for a while, and writes."""

    def add(name: str) -> bool:
        def change(content: dict[str, Any]) -> dict[str, Any]:
            time.sleep(0.2)
            return {**content, "scores": {**content["scores"], name: {"en-de": {"bleu": 1.0}}}}

        return amend(folder, change)

    with ThreadPoolExecutor() as threads:
        assert all(threads.map(add, ["one", "two", "three", "four"]))
    assert {"one", "two", "three", "four"} <= load(folder).scores.keys()


def test_scores_of_weights_that_were_replaced_meanwhile_are_not_theirs(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    before = config(folder)
    record_scores(folder, "toy/", corpus(tmp_path / "text"), results(), {}, said.append, "0" * 64)
    assert config(folder) == before and "its model was replaced while the old one was evaluated" in said[0]
    record_scores(
        folder, "toy/", corpus(tmp_path / "text"), results(), {}, said.append, before["sha256"]["model.safetensors"]
    )
    assert "toy/test" in load(folder).scores and len(said) == 1


def test_an_edited_card_stays(folder: Path, tmp_path: Path) -> None:
    (folder / "README.md").write_text(text(folder) + "\nMine.\n", "utf-8")
    said: list[str] = []
    record_scores(folder, "toy/", corpus(tmp_path / "text"), results(), {}, said.append)
    assert text(folder).endswith("\nMine.\n") and "edited" in said[0]
    assert "toy/test" in load(folder).scores


def test_a_folder_without_checksums_stays_without(folder: Path) -> None:
    set_keys(folder)
    assert amend(folder, lambda content: {**content, "license": "mit"}) and "mit" in text(folder)
    (folder / "README.md").unlink()
    assert amend(folder, lambda content: {**content, "license": "apache-2.0"})
    assert "apache-2.0" in text(folder) and read_config(folder)["sha256"] == {}


def test_an_export_keeps_the_card_and_says_what_it_is(folder: Path, tmp_path: Path) -> None:
    how = {"search": {"_target_": "seq2seq.search.greedy.Greedy"}}
    record_scores(folder, "toy/", corpus(tmp_path / "text"), results(), how, lambda message: None)
    convert(read(folder, "translator"), tmp_path / "small", "int8")
    found = text(tmp_path / "small")
    assert "exported from fp32" in found and "| int8" in found and "cc-by-4.0" in found and "28,000" in found
    assert "| toy/test | en-de | greedy | fp32 |" in found  # what was measured before


def test_what_cannot_be_written_is_told(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").write_text("{", "utf-8")
    said: list[str] = []
    record_scores(folder, "toy/", corpus(tmp_path / "text"), results(), {}, said.append)
    assert "not on the model's card" in said[0]
    with pytest.raises(ModelError):
        amend(folder, lambda content: content)


@pytest.mark.slow
def test_every_training_writes_a_card(tmp_path: Path) -> None:
    """Of labelled text here; with names and hashes of the data, but no place on this machine."""
    lines = [f"ka lo {word}" for word in ("mi", "nu", "pesto") * 20]
    for split in ("train", "valid"):
        write(tmp_path / "text", f"{split}.text", lines)
        write(tmp_path / "text", f"{split}.label", [LABELS[number % 3] for number in range(len(lines))])
    given = ("corpus=files", f"corpus.path={tmp_path / 'text'}", "corpus.directions=[text-label]")
    budget = ("trainer.updates=1", "tokenizer.vocab_size=18", "license=mit")
    assert run("train_classifier", tmp_path, *given, *budget, *SHALLOW) == 0
    found = text(tmp_path / "run" / "model")
    assert front(found)["license"] == "mit" and front(found)["pipeline_tag"] == "text-classification"
    assert "text/train" in found and "text/valid" in found and str(tmp_path) not in found
    assert str(tmp_path) not in (tmp_path / "run" / "model" / "config.json").read_text("utf-8")
    assert "1 update, " in found
