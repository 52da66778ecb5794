"""Translations as text, TSV and JSON, and JSON lines with wishes: a line is a line, whatever the form."""

import json
from pathlib import Path

import pytest
import torch
from toy_search import beam
from toy_translator import DIRECTIONS, random_model, toy_tokenizer

from seq2seq.errors import DataError
from seq2seq.translation.file import translate_file
from seq2seq.translation.formats import Extras, Form, format_translation, pharaoh
from seq2seq.translation.stages.preprocess import TranslateOptions
from seq2seq.translation.translation import Candidate, Status, Translation
from seq2seq.translation.translator import Translator

LINES = ["the dog sees\tthe house", "", "two", "big 🐕"]


def translated(folder: Path, form: Form, extras: Extras, lines: list[str] = LINES) -> str:
    (folder / "in").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    parts = (random_model(), toy_tokenizer(), beam(3, 3, factor=1.0), DIRECTIONS, 60, 60)
    translator = Translator(*parts, torch.float32, torch.device("cpu"), unknown_words="symbols")
    translate_file(translator, "en", "de", folder / "in", folder / "out", form, None, None, "replace", extras)
    return (folder / "out").read_text("utf-8")


def test_all_forms_tell_the_same_translations(tmp_path: Path) -> None:
    extras = Extras("text", tmp_path / "linked", TranslateOptions(tokens=True))
    text = translated(tmp_path, "text", Extras()).splitlines()
    rows = [row.split("\t") for row in translated(tmp_path, "tsv", Extras()).splitlines()]
    objects = [json.loads(line) for line in translated(tmp_path, "json", extras).splitlines()]
    assert [(int(row[0]), int(row[1])) for row in rows] == [
        (line, rank) for line in (1, 2, 3, 4) for rank in ((1, 2, 3) if line != 2 else (1,))
    ]
    assert all(len(row) == 5 for row in rows)
    assert [row[3] for row in rows if row[1] == "1"] == text == [one["text"] for one in objects]
    best = [each for one in objects for each in one["best"]]
    assert [[f"{each['score']:.4f}", each["text"]] for each in best] == [row[2:4] for row in rows if row[0] != "2"]
    assert [f"{each['ranking']:.4f}" for each in best] == [row[4] for row in rows if row[0] != "2"]
    for each in best:
        assert sum(score for _, score in each["tokens"]) == pytest.approx(each["score"], abs=5e-3)
    linked = (tmp_path / "linked").read_text().split("\n")
    assert linked == [*((one["best"][0]["alignment"] if one["best"] else "") for one in objects), ""]
    assert any(linked) and "🐕" in text[3]


def test_a_tab_in_a_translation_makes_no_column() -> None:
    one = Translation("a\tb", -1.5, Status.OK, (Candidate("a\tb", -1.5),))
    assert format_translation(one, "tsv", 7) == "7\t1\t-1.5000\ta b\t"
    assert format_translation(Translation("", 0.0, Status.BLANK, ()), "tsv", 8) == "8\t1\t0.0000\t\t"
    assert format_translation(one, "text", 7) == "a\tb"
    assert pharaoh(((0, 0), (2, 1))) == "0-0 2-1"


def test_json_lines_are_those_of_the_text(tmp_path: Path) -> None:
    asked = [json.dumps({"text": line}) if line else "" for line in LINES]
    assert translated(tmp_path, "text", Extras("json"), asked) == translated(tmp_path, "text", Extras())
    wanted = [json.dumps({"text": line, "prefix": "eins"}) for line in LINES]
    begun = translated(tmp_path, "text", Extras("json"), wanted).splitlines()
    assert [line.startswith("eins") for line in begun] == [True, False, True, True]


def test_a_bad_line_is_named_with_its_number(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"in:3: expected a JSON object with the key text, got '3'"):
        translated(tmp_path, "text", Extras("json"), ['{"text": "one"}', "", "3"])
