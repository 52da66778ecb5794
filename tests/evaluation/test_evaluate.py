"""Every test set in every direction is translated, scored and written down."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from toy_translator import WORDS, echo_translator

from seq2seq.data.augmentation.joined import Joined
from seq2seq.data.augmentation.typos import Typos
from seq2seq.data.augmentation.upper import Upper
from seq2seq.data.corpus.base import Pair
from seq2seq.data.corpus.files import Files
from seq2seq.errors import ConfigError, DataError
from seq2seq.evaluation.evaluate import evaluate, evaluate_files, print_report, validation_scores
from seq2seq.evaluation.metric import score

SENTENCES = [[" ".join(words[side] for words in WORDS[place : place + 5]) for place in range(4)] for side in (0, 1)]


def corpus(folder: Path, directions: list[str] | None = None, test: list[str] | None = None) -> Files:
    """Two test sets; in the second every language says the same, which the echo translator gets right."""
    for language, lines in zip(("en", "de"), SENTENCES, strict=True):
        (folder / f"one.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (folder / f"two.{language}").write_text("".join(f"{line}\n" for line in SENTENCES[0][::-1]), encoding="utf-8")
    return Files(str(folder), directions or ["en-de", "de-en"], [], [], [], ["one", "two"] if test is None else test)


def test_every_test_set_and_direction_is_scored_and_written(tmp_path: Path) -> None:
    said: list[str] = []
    results = evaluate(echo_translator(), corpus(tmp_path), tmp_path / "run", said.append)
    assert {split: set(directions) for split, directions in results.items()} == {
        "one": {"en-de", "de-en"},
        "two": {"en-de", "de-en"},
    }
    assert results["one"]["en-de"] == score(SENTENCES[0], SENTENCES[1], "de")
    assert results["two"]["de-en"].exact == 100
    written = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert written["one"]["en-de"]["bleu"] == results["one"]["en-de"].bleu
    assert written["two"]["de-en"]["signature"] == results["two"]["de-en"].signature
    assert len(said) == 4
    kept = tmp_path / "run" / "hypotheses" / "one.en-de.de"
    assert kept.read_text().splitlines() == SENTENCES[0]
    assert evaluate_files(kept, tmp_path / "one.de", "de", said.append) == results["one"]["en-de"]


def test_directions_the_model_lacks_are_named_and_left_out(tmp_path: Path) -> None:
    said: list[str] = []
    translator = echo_translator()
    translator.directions = [("de", "en"), ("de", "fr")]
    results = evaluate(translator, corpus(tmp_path), tmp_path, said.append)
    assert set(results["one"]) == {"de-en"}
    assert any("does not translate them: en-de" in message for message in said)
    translator.directions = [("de", "fr")]
    with pytest.raises(ConfigError, match=r"the corpus has en-de, de-en, the model translates de-fr"):
        evaluate(translator, corpus(tmp_path), tmp_path, said.append)


def test_another_code_of_the_same_language_is_the_models(tmp_path: Path) -> None:
    translator = echo_translator()
    results = evaluate(translator, corpus(tmp_path), tmp_path / "run", print)
    for ours, theirs in (("en", "en_US"), ("de", "deu")):
        for split in ("one", "two"):
            (tmp_path / f"{split}.{theirs}").write_bytes((tmp_path / f"{split}.{ours}").read_bytes())
    other = Files(str(tmp_path), ["en_US-deu", "deu-en_US"], [], [], [], ["one", "two"])
    again = evaluate(translator, other, tmp_path / "run", print)
    assert again == {
        split: {"en_US-deu": found["en-de"], "deu-en_US": found["de-en"]} for split, found in results.items()
    }
    assert (tmp_path / "run" / "hypotheses" / "one.en_US-deu.deu").is_file()


def test_noisy_versions_stand_beside_each_test_set(tmp_path: Path) -> None:
    """The echo translator repeats the source, so references that stay as they are score like what it was given."""
    noises = {"upper": Upper(0.0), "joined": Joined(0.0, 0.3), "typos": Typos(0.0, 0.3)}
    results = evaluate(echo_translator(), corpus(tmp_path), tmp_path / "run", print, noises, 1)
    assert list(results)[:4] == ["one", "one+upper", "one+joined", "one+typos"] and len(results) == 8
    clean, upper, joined, typos = (results[f"two{name}"]["de-en"] for name in ("", "+upper", "+joined", "+typos"))
    assert clean.exact == joined.exact == upper.exact == 100 and typos.exact < 100
    assert "case:lc" in upper.signature["bleu"] and "case:mixed" in clean.signature["bleu"]
    kept = (tmp_path / "run" / "hypotheses" / "two+joined.de-en.en").read_text().splitlines()
    assert " ".join(kept).split() == " ".join(SENTENCES[0][::-1]).split() and len(kept) < len(SENTENCES[0])
    written = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert written["two+typos"]["de-en"]["bleu"] == typos.bleu
    assert evaluate(echo_translator(), corpus(tmp_path), tmp_path / "run", print, noises, 1) == results
    other = evaluate(echo_translator(), corpus(tmp_path), tmp_path / "run", print, noises, 2)
    assert other["two+typos"] != results["two+typos"] and other["one"] == results["one"]
    alone = evaluate(echo_translator(), corpus(tmp_path), tmp_path / "run", print, {"typos": noises["typos"]}, 1)
    assert alone["two+typos"] == results["two+typos"]


def test_a_corpus_without_test_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"corpus\.test"):
        evaluate(echo_translator(), corpus(tmp_path, test=[]), tmp_path, print)


def test_files_of_unequal_length_are_named(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("one\n")
    (tmp_path / "long").write_text("one\ntwo\n")
    wanted = r"short and .*long: expected as many hypotheses as references, got 1 and 2: .*: up to its last"
    with pytest.raises(DataError, match=wanted):
        evaluate_files(tmp_path / "short", tmp_path / "long", "de", print)


def test_validation_averages_over_directions() -> None:
    right = [Pair("en", "de", line, line, "") for line in SENTENCES[0]]
    wrong = [Pair("de", "en", line, other, "") for line, other in zip(*SENTENCES, strict=True)]
    one, other = score(SENTENCES[0], SENTENCES[0], "de"), score(SENTENCES[0], SENTENCES[1], "en")
    mixed = [pair for pairs in zip(right, wrong, strict=True) for pair in pairs]
    found = validation_scores(echo_translator(), mixed)
    assert found == {
        "bleu": pytest.approx((one.bleu + other.bleu) / 2),
        "chrf": pytest.approx((one.chrf + other.chrf) / 2),
    }
    assert found["chrf"] < 100


def test_the_table_shows_every_score_and_each_signature_once(tmp_path: Path) -> None:
    scores = {"one": {"en-de": score(SENTENCES[0], SENTENCES[0], "de"), "de-zh": score(["中"], ["文"], "zh")}}
    console = Console(record=True, width=60, file=(tmp_path / "out").open("w"))
    print_report(scores, console)
    text = console.export_text()
    assert "en-de" in text and "de-zh" in text and "100.0" in text
    for name in ("bleu", "chrf", "ter"):
        signatures = {one.signature[name] for one in scores["one"].values()}
        assert [text.count(f"{name}: {signature}\n") for signature in signatures] == [1] * len(signatures)
    console.file.close()
