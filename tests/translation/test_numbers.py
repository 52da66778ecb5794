"""Numbers that a translation changes or loses are told of, where training's translations have them."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from toy_search import greedy
from toy_text import vocabulary
from toy_translator import DIRECTIONS, Echo, random_model, random_node, toy_tokenizer

from seq2seq.data.corpus.files import Files
from seq2seq.data.corpus.jsonl import JSONL
from seq2seq.data.dataset.prepare import prepare
from seq2seq.data.tokenizer.train import train_tokenizer
from seq2seq.errors import ModelError
from seq2seq.translation.api import load
from seq2seq.translation.checks.usage import Usage, learn_usage, shared_usage, usage_from_json
from seq2seq.translation.folder import save
from seq2seq.translation.stages.number_check import lost, numbers
from seq2seq.translation.stages.passthrough import Passthrough
from seq2seq.translation.translation import Status
from seq2seq.translation.translator import Translator


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("1,000 dogs", "1.000 Hunde"),
        ("1,000,000", "1 000 000"),
        ("1,000", "1\u202f000"),
        ("1000", "1'000"),
        ("3.5", "3,5"),
        ("the 12th", "der 12."),
        ("3 ٣", "３ 3"),
        ("at 2:30", "um 2.30 Uhr"),
        ("05/12/2004", "12.5.2004"),
        ("1990s", "1990er"),
        ("no number", "keine 7"),
        ("007", "7"),
    ],
)
def test_the_same_number_is_written_in_many_ways(source: str, target: str) -> None:
    assert lost(source, target) == set()


@pytest.mark.parametrize(
    ("source", "target", "kinds"),
    [
        ("25 dogs", "52 Hunde", {"large"}),
        ("3 dogs", "Hunde", {"small"}),
        ("3 dogs and 40", "Hunde", {"small", "large"}),
        ("1,000", "1.001", {"large"}),
        ("3 of 3", "3 von", {"small"}),
        ("1984", "84", {"large"}),
    ],
)
def test_a_changed_number_is_a_lost_one(source: str, target: str, kinds: set[str]) -> None:
    assert lost(source, target) == kinds


def test_digits_alone_count() -> None:
    assert numbers("a 1,000.50 b 3-4") == Counter({"100050": 1, "3": 1, "4": 1})
    assert numbers("in 2010 300 dogs") == Counter({"2010": 1, "300": 1})


def store(folder: Path, pairs: list[tuple[str, str]]) -> Usage:
    for side, language in enumerate(("en", "de")):
        (folder / f"train.{language}").write_text("".join(f"{pair[side]}\n" for pair in pairs), "utf-8")
    corpus = Files(str(folder), ["en-de"], ["en", "de"], ["train"], [], [])
    return learn_usage(prepare(corpus, {}, toy_tokenizer(), folder / "cache", 1000).train)


def test_training_text_tells_which_numbers_are_carried_over(tmp_path: Path) -> None:
    kept, spelt = ("The 25 dogs", "25 Hunde"), ("the 7 dogs", "sieben Hunde")
    assert store(tmp_path, [kept] * 20 + [spelt] * 2) == Usage(frozenset({("en", "de", "large")}), frozenset({"en"}))


def test_text_of_other_habits_tells_of_none(tmp_path: Path) -> None:
    kept, spelt = ("the 25 dogs", "25 Hunde"), ("the 25 dogs", "Hunde")
    assert store(tmp_path, [kept] * 20 + [spelt] * 3) == Usage()


def test_a_language_with_little_text_is_looked_at_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 lines of German and 20 of French, 40 looked at of each."""
    monkeypatch.setattr("seq2seq.translation.checks.usage.ROWS", 40)
    records = [{"en": "the dog", "de": "der Hund"}] * 400 + [{"en": "The 25 dogs", "fr": "25 chiens"}] * 20
    (tmp_path / "train.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    corpus = JSONL(str(tmp_path), ["en-de", "fr-en"], [], ["train"], [], [])
    tokenizer = train_tokenizer(corpus, vocabulary(size=280)).tokenizer
    usage = learn_usage(prepare(corpus, {}, tokenizer, tmp_path / "cache", 1000).train)
    assert usage.numbers == {("fr", "en", "large")}


def test_a_lost_number_has_a_status() -> None:
    parts = (random_model(), toy_tokenizer(), greedy(1.0, 3), DIRECTIONS, 30, 60, torch.float32, torch.device("cpu"))
    usage = Usage(frozenset({("en", "de", "large")}))
    lines = ["the 25 dogs", "the 5 dogs", "the dog"]
    found = [Status.NUMBERS in one.notes for one in Translator(*parts, usage=usage).translate(lines, "en", "de")]
    assert found == [True, False, False]
    assert not any(Status.NUMBERS in one.notes for one in Translator(*parts).translate(lines, "en", "de"))
    assert not any(
        Status.NUMBERS in one.notes for one in Translator(Echo(), *parts[1:], usage=usage).translate(lines, "en", "de")
    )


def test_an_entity_is_no_number() -> None:
    parts = (random_model(), toy_tokenizer(), greedy(1.0, 3), DIRECTIONS, 30, 60, torch.float32, torch.device("cpu"))
    usage, copying = Usage(frozenset({("en", "de", "large")})), Passthrough(True, 100, "translate", True)
    translator = Translator(*parts, passthrough=copying, usage=usage)
    [one] = translator.translate(["the d&#111;g"], "en", "de")
    assert Status.NUMBERS not in one.notes


def test_a_folder_tells_it_and_an_older_one_nothing(tmp_path: Path) -> None:
    usage = Usage(frozenset({("en", "de", "large")}), frozenset({"en"}))
    assert usage_from_json(usage.to_json(), "here") == usage and shared_usage([usage, Usage()]) == Usage()
    rest = (random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    save(tmp_path / "new", *rest, {"usage": usage.to_json()})
    save(tmp_path / "old", *rest, {})
    save(tmp_path / "bad", *rest, {"usage": {"numbers": ["en"]}})
    assert load(tmp_path / "new", "greedy").usage == usage and load(tmp_path / "old", "greedy").usage == Usage()
    with pytest.raises(ModelError, match=r"usage: expected .*, got \{'numbers'"):
        load(tmp_path / "bad", "greedy")
