"""Lines in capitals and title case are read in the case that training text has."""

import string

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import greedy
from toy_translator import DIRECTIONS, Echo, toy_tokenizer

from seq2seq.translation.line import Line
from seq2seq.translation.stages.casing import Casing, word_cost
from seq2seq.translation.stages.passthrough import Passthrough
from seq2seq.translation.stages.unicode_fallback import unicode_fallback
from seq2seq.translation.translation import Status
from seq2seq.translation.translator import Translator

KNOWN = {"two", "dogs", "are", "playing", "in", "the", "snow", "Berlin", "USA", "Two", "Hunde", "Straße", "I", "new"}
KNOWN |= {"ijs", "IJs", "İstanbul", "ılık", "οδος", "ſ", "dog's"}


def cost(word: str) -> float:
    """A known word is a piece, anything else is spelt."""
    return 3.0 if word in KNOWN else 3.0 * len(word)


def casing(source: str = "en", target: str = "de", letters: str = string.ascii_letters, begins: bool = False) -> Casing:
    return Casing(cost, set(letters), source, target, begins)


def read(line: str, source: str = "en") -> str:
    return casing(source).read(line, []).text


def translator(casing: bool) -> Translator:
    parts = (Echo(), toy_tokenizer(), greedy(1.0, 3), DIRECTIONS, 30, 60, torch.float32, torch.device("cpu"))
    return Translator(
        *parts, unknown_words="copy", passthrough=Passthrough(True, 100, "translate", True), casing=casing
    )


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("TWO DOGS ARE PLAYING IN THE SNOW.", "Two dogs are playing in the snow."),
        ("TWO DOGS. TWO IN BERLIN, USA", "Two dogs. Two in Berlin, USA"),
        ("I SNOW. THE DOGS PLAYING!", "I snow. The dogs playing!"),
        ("DOGS 12 SNOW", "dogs 12 snow"),
        ("Two Dogs Are Playing In The Snow", "Two dogs are playing in the snow"),
        ("THE DOG'S SNOW", "The dog's snow"),
    ],
)
def test_a_line_takes_the_case_of_training(line: str, seen: str) -> None:
    assert read(line) == seen
    assert casing().read(line, []).capitals is line.isupper()


@pytest.mark.parametrize(
    "line",
    ["USA", "NATO", "J. R. R.", "TWO", "Two dogs", "Two dogs are playing in the USA", "Kim Lee Bo Vu", "two dogs", "",
     "12", "USA USA", "两只狗在雪地里玩", "שני כלבים", "Peter Paul Mary Szymon Kowalski", "XKQ WZT PLM"],
)  # fmt: skip
def test_other_lines_stay(line: str) -> None:
    assert casing().read(line, []) == (line, [], False)


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("two dogs. the snow, e.g. dogs", "Two dogs. The snow, e.g. dogs"),
        ("two Dogs", "two Dogs"),
        ("ǆ x", "ǅ x"),
        ("(two) 12", "(Two) 12"),
        ("თბილისი", "თბილისი"),
        ("两只狗", "两只狗"),
        ("", ""),
    ],
)
def test_a_line_of_small_letters_begins_as_those_of_training(line: str, seen: str) -> None:
    assert casing(begins=True).read(line, []).text == seen
    assert casing(begins=False).read(line, []).text == line
    assert casing(begins=True).read("%s two", [(0, 2)]).text == "%s two"


def test_what_is_copied_keeps_its_case() -> None:
    line = "TWO DOGS IN %S SNOW"
    found = casing().read(line, [(12, 14)])
    assert found.text == "Two dogs in %S snow" and found.runs == [(12, 14)]
    assert (
        casing().read("İWO TWO %S DOGS", [(8, 10)]).text[slice(*casing().read("İWO TWO %S DOGS", [(8, 10)]).runs[0])]
        == "%S"
    )


@pytest.mark.parametrize(
    ("source", "line", "seen"),
    [
        ("de", "ZWEI HUNDE STRASSE", "Zwei Hunde Straße"),
        ("tr", "ISPARTA ILIK TWO", "Isparta ılık two"),
        ("tr", "TWO İSTANBUL ILIK", "Two İstanbul ılık"),
        ("nl", "IJS DOGS SNOW", "IJs dogs snow"),
        ("el", "ΤΗΕ ΟΔΟΣ SNOW DOGS", "Τηε οδος snow dogs"),
    ],
)
def test_letters_of_other_languages(source: str, line: str, seen: str) -> None:
    found = read(line, source)
    assert found.split()[1:] == seen.split()[1:]


def test_capitals_of_translations() -> None:
    assert casing("en", "de").shown("Straße", True) == "STRASSE"
    assert casing("en", "tr").shown("ılık istanbul", True) == "ILIK İSTANBUL"
    assert casing("en", "ka").shown("თბილისი", True) == "თბილისი"
    assert casing("en", "el").shown("οδός", False) == "οδός"


def test_where_training_has_small_letters_alone_capitals_are_read_as_such() -> None:
    lower = casing(letters=string.ascii_lowercase)
    assert lower.read("Two Dogs %S", [(9, 11)]) == ("two dogs %S", [(9, 11)], False)
    assert lower.read("TWO DOGS", []) == ("two dogs", [], True)
    assert lower.read("NATO", []) == ("nato", [], False)
    assert lower.read("two dogs", []) == ("two dogs", [], False)


def test_where_sentences_begin_with_small_letters_so_does_what_is_read() -> None:
    assert read("SNOW AND DOGS") == "snow and dogs"


def test_a_word_is_read_in_one_piece_of_case() -> None:
    known = frozenset(string.ascii_lowercase + "SED ")
    assert unicode_fallback("SEVEN SEED Seven", known) == "seven SEED Seven"


def test_capitals_come_back_and_copied_things_stay() -> None:
    lines = ["THE BIG DOG SEES THE HOUSE", "THE BIG DOG SEES %s AND <b>THE</b> HOUSE", "the big dog", "THE"]
    plain = list(translator(True).translate(lines, "en", "de"))
    assert plain[0].text == lines[0]
    assert "%s" in plain[1].text and "<b>" in plain[1].text and "HOUSE" in plain[1].text
    assert plain[2].text == "the big dog" and Status.UNKNOWN not in plain[2].notes
    [kept] = translator(True).translate([Line("THE BIG DOG SEES", banned=("dog",))], "en", "de")
    assert kept.text == "THE BIG DOG SEES" or Status.UNMET not in kept.notes


def test_the_tokenizer_tells_what_a_word_costs() -> None:
    cost = word_cost(toy_tokenizer(), "en")
    assert cost("dog") < cost("DOG") and cost("house") < cost("HOUSE")


@given(
    st.text(st.sampled_from("aB ßİıΣς.ǅ12'ŉ") | st.characters(exclude_categories=["Cs"]), max_size=40),
    st.integers(0, 40),
)
@settings(max_examples=200, deadline=None)
def test_no_line_loses_a_word_or_what_is_copied(line: str, place: int) -> None:
    runs = [(place, place + 3)] if place + 3 <= len(line) else []
    for source in ("en", "tr", "de", "nl"):
        found = casing(source).read(line, runs)
        assert len(found.text.split()) == len(line.split())
        assert [found.text[slice(*run)] for run in found.runs] == [line[slice(*run)] for run in runs]
        shown = casing("en", source).shown(line, True)
        assert len(shown.split()) == len(line.split())
