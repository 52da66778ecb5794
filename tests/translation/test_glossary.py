"""Terms, phrases and beginnings that somebody wants: they are in the translation, or it is said that they are not."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from toy_search import beam
from toy_translator import DIRECTIONS, random_model, toy_tokenizer

from seq2seq.errors import ConfigError, DataError
from seq2seq.search.base import Search
from seq2seq.search.constrained import Constrained
from seq2seq.translation.line import Line, parsed
from seq2seq.translation.stages.glossary import Glossary
from seq2seq.translation.stages.preprocess import Preprocessor, PreprocessSettings, TranslateOptions
from seq2seq.translation.translation import Status
from seq2seq.translation.translator import Translator


def translator(search: Search | None = None, longest: int = 40) -> Translator:
    chosen = search or Constrained(5, 1, "gnmt", 1.0, 1.0, 12, 0.0, 0)
    parts = (random_model(), toy_tokenizer(), chosen, DIRECTIONS, longest, 100)
    return Translator(*parts, torch.float32, torch.device("cpu"))


TERMS = {"New York": "Neu-York", "york": "Eber", "ice": "Eis", "ice cream": "Speiseeis", "U.S.": "USA", "C++": "C++"}


@pytest.mark.parametrize(
    ("line", "phrases"),
    [
        ("We like New York.", ["Neu-York"]),
        ("We like new  york and york", ["Neu-York", "Eber"]),
        ("ice cream and Ice, ice", ["Speiseeis", "Eis"]),
        ("nice iceberg", []),
        ("the U.S. and C++", ["USA", "C++"]),
        ("", []),
    ],
)
def test_terms_are_whole_words_the_longest_first(line: str, phrases: list[str]) -> None:
    assert Glossary(TERMS).required(line, "en") == phrases


def test_case_counts_where_both_spellings_are_terms() -> None:
    glossary = Glossary({"Polish": "polnisch", "polish": "Politur"})
    assert glossary.required("Polish the polish", "en") == ["polnisch", "Politur"]
    assert glossary.required("POLISH", "en") == ["polnisch"]


def test_terms_are_found_in_whatever_form_they_are_written() -> None:
    glossary = Glossary({"l\u2019eau": "Wasser", "cafe\u0301": "Kaffee", "half\u00a0way": "Mitte"})
    assert glossary.required("de l'eau, caf\u00e9 half way", "fr") == ["Wasser", "Kaffee", "Mitte"]
    assert glossary.required("l\u2019eau cafe\u0301 half\u202fway ca\u00adf\u00e9", "fr") == [
        "Wasser",
        "Kaffee",
        "Mitte",
    ]
    assert Glossary({"ｶﾞ": "moth"}).required("これはガです", "ja") == ["moth"]


def test_terms_stand_inside_of_others_where_words_are_not_spaced() -> None:
    assert Glossary({"東京": "Tokyo"}).required("私は東京都に", "ja") == ["Tokyo"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\nc\n", r"g\.tsv:2: expected `term TAB phrase`, got 'c'"),
        ("a\tb\tc\n", r"g\.tsv:1: expected `term TAB phrase`"),
        ("a\t \n", r"g\.tsv:1: expected"),
        ("a\tb\n\n# no\na\tc\n", r"g\.tsv:4: 'a' is 'b' above and 'c' here; keep one"),
    ],
)
def test_a_bad_glossary_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "g.tsv").write_text(text, "utf-8")
    with pytest.raises(DataError, match=message):
        Glossary.load(tmp_path / "g.tsv")


def test_a_glossary_is_read(tmp_path: Path) -> None:
    (tmp_path / "g.tsv").write_text("# terms\nbig  dog\tHund\r\n\none\teins\none\teins\n", "utf-8")
    assert Glossary.load(tmp_path / "g.tsv").terms == {"big dog": "Hund", "one": "eins"}


GLOSSARY: Mapping[str, str] = {"dog": "Hund", "big house": "große Haus", "one": "eins"}


def test_phrases_are_in_the_translation_or_it_is_said() -> None:
    lines = ["the dog sees the big house", "one", "two three", "", "one dog one", "the big house. one dog " * 9]
    found = list(translator().translate(lines, "en", "de", glossary=GLOSSARY))
    wanted = [Glossary(GLOSSARY).required(line, "en") for line in lines]
    assert [len(phrases) for phrases in wanted] == [2, 1, 0, 0, 2, 3]
    for phrases, one in zip(wanted, found, strict=True):
        assert all(phrase in one.text for phrase in phrases) or Status.UNMET in one.notes
    assert sum(Status.UNMET not in one.notes for one in found) >= 5
    plain = list(translator().translate(lines, "en", "de"))
    assert plain[2] == found[2]._replace(seconds=plain[2].seconds) and plain[0].text != found[0].text


def test_a_line_says_itself_what_it_wants() -> None:
    lines = [
        Line("the dog", prefix="eins zwei"),
        Line("the dog", required=("drei Haus", "sieht")),
        Line("the dog"),
        Line("the dog", banned=("das", "Hund", "eins")),
    ]
    found = list(translator().translate(lines, "en", "de"))
    assert found[0].text.startswith("eins zwei") and Status.UNMET not in found[0].notes
    assert "drei Haus" in found[1].text and "sieht" in found[1].text and Status.UNMET not in found[1].notes
    assert found[2].text == next(translator().translate(["the dog"], "en", "de")).text
    assert not {"das", "Hund", "eins"} & set(found[3].text.split()) or Status.UNMET in found[3].notes
    [begun] = translator(beam(3)).translate(lines[:1], "en", "de")
    assert begun.text.startswith("eins zwei")


@pytest.mark.parametrize("search", [beam(3), Constrained(5, 1, "gnmt", 1.0, 1.0, 12, 0.0, 0)])
def test_a_new_word_begins_behind_a_phrase_and_behind_a_space(search: Search) -> None:
    """The random model glues whatever it can to what stands before."""
    words = ["eins", "Hund", "e", "das große", "sieht H"]
    glued = 0
    for ending in ("", " "):
        lines = [Line(text, prefix=f"{word}{ending}") for text in ("the dog", "two") for word in words]
        for line, one in zip(lines, translator(search).translate(lines, "en", "de"), strict=True):
            prefix = line.prefix.split()
            whole = one.text.split()[: len(prefix)] == prefix or one.text.startswith(line.prefix.strip() + ".")
            assert one.text.startswith(line.prefix.strip()) and (whole or not ending), (line, one.text)
            glued += not whole
    assert glued
    if isinstance(search, Constrained):
        lines = [Line(text, required=(word,)) for text in ("the dog", "two dogs see") for word in words]
        found = translator(search).translate(lines, "en", "de")
        assert all(line.met_by(one.text, "de") for line, one in zip(lines, found, strict=True))


def test_what_was_not_met_is_said() -> None:
    """A phrase too long for the longest translation, and a ban on what is required."""
    short = Constrained(2, 1, "gnmt", 1.0, 0.0, 3, 0.0, 0)
    lines = [Line("one", required=("das große Haus sieht das",)), Line("one", required=("Hund",), banned=("Hund",))]
    found = list(translator(short).translate(lines, "en", "de"))
    assert all(Status.UNMET in one.notes for one in found)


def test_the_phrases_of_a_long_line_may_be_unmet_but_never_in_silence() -> None:
    line = Line("the dog sees the big house " * 6, required=("drei drei drei",))
    [found] = translator(longest=16).translate([line], "en", "de")
    assert Status.SPLIT in found.notes
    assert "drei drei drei" in found.text or Status.UNMET in found.notes


@pytest.mark.parametrize(
    ("line", "language", "translation", "met"),
    [
        (Line(""), "de", "anything", True),
        (Line("", prefix="Ein  Hund"), "de", "Ein Hund bellt", True),
        (Line("", prefix="Hund"), "de", "Ein Hund", False),
        (Line("", required=("Hund", "Katze")), "de", "Hund", False),
        (Line("", required=("dollar",)), "de", "zwei dollarzig", False),
        (Line("", required=("dollar",)), "de", "dollarzig, zwei dollar!", True),
        (Line("", required=("dollar", ", zwei")), "de", "Ein_dollar dollar, zwei", True),
        (Line("", required=("70",)), "de", "Es kostet 700 Euro", False),
        (Line("", required=("कुत्त",)), "hi", "एक कुत्ता", False),
        (Line("", required=("Cafe\u0301",)), "de", "Ein Café.", True),
        (Line("", required=("猫",)), "ja", "その猫は大きい。", True),
        (Line("", prefix="Ein "), "de", "Einige Hunde", False),
        (Line("", prefix="Ein "), "de", "Ein Hund", True),
        (Line("", prefix="Ein"), "de", "Einige Hunde", True),
        (Line("", prefix="猫 "), "ja", "猫は大きい。", True),
        (Line("", banned=("Hund",)), "de", "Ein Hund.", False),
        (Line("", banned=(",",)), "de", "Ein Hund, zwei", False),
        (Line("", banned=("Hund",)), "de", "Zwei Hunde.", True),
        (Line("", banned=("猫",)), "ja", "その猫は大きい。", False),
        (Line("", banned=("猫",)), "jpn_Jpan", "その猫は大きい。", False),
        (Line("", banned=("犬",)), "ja", "その猫は大きい。", True),
        (Line("", banned=("แมว",)), "th", "ฉันเห็นแมวสามตัว", False),
        (Line("", banned=("新",)), "zh_CN", "这是A新B的", False),
        (Line("", banned=("cat",)), "ja", "catalogを見る", True),
        (Line("", banned=("cat",)), "ja", "そのcatは", False),
        (Line("", banned=("neko",)), "ja-Latn", "nekoneko", True),
    ],
)
def test_whether_wishes_are_met(line: Line, language: str, translation: str, met: bool) -> None:
    assert line.met_by(translation, language) == met


def test_a_search_that_cannot_promise_phrases_is_refused() -> None:
    plain = translator(beam(3))
    with pytest.raises(ConfigError, match="glossary: this search cannot promise phrases; set search=constrained"):
        plain.translate(["one"], "en", "de", glossary=GLOSSARY)
    with pytest.raises(ConfigError, match=r"required: this search cannot promise phrases; set search=constrained"):
        list(plain.translate([Line("one", required=("x",))], "en", "de"))


def test_a_phrase_inside_a_sentence_has_a_space_only_where_words_are_spaced() -> None:
    def spelt(language: str, phrase: str, first: bool) -> str:
        kept = PreprocessSettings("keep", None, False)
        preparing = Preprocessor(toy_tokenizer(), "en", language, TranslateOptions(), kept, True, lambda: False)
        preparing.tokenizer = Unspaced()  # type: ignore[assignment]
        return "".join(toy_tokenizer().pieces(preparing.ids(phrase, first)))

    class Unspaced:
        """The toy tokenizer, which knows no zh."""

        def __init__(self) -> None:
            self.pieces = toy_tokenizer().pieces

        def encode(self, lines: list[str], language: str, side: str) -> list[list[int]]:
            return toy_tokenizer().encode(lines, "de", "target")

        def decode(self, ids: list[list[int]], language: str) -> list[str]:
            return toy_tokenizer().decode(ids, "de")

    assert spelt("de", "Hund", False).startswith("\u2581")
    assert spelt("zh", "Hund", True).startswith("\u2581")
    assert not spelt("zh", "Hund", False).startswith("\u2581")


def test_lines_are_parsed() -> None:
    assert parsed('{"text": "a", "required": ["x y"], "prefix": "p"}', "in:1") == Line("a", "p", ("x y",), ())
    assert parsed("", "in:2") == parsed("  ", "in:2") == Line("")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("{", r"in:7: expected a JSON object with the key text, got no JSON"),
        ("[1]", r"in:7: expected a JSON object with the key text, got '\[1\]'"),
        ('{"text": 3}', r"in:7: expected a JSON object with the key text"),
        ('{"text": "a", "banned": "x"}', r"in:7: banned: expected a list of phrases, got 'x'"),
        ('{"text": "a", "required": [""]}', r"in:7: required: expected a list of phrases"),
        ('{"text": "a", "prefix": 1}', r"in:7: prefix: expected text, got 1"),
        ('{"text": "a", "requires": []}', r"in:7: unknown key 'requires', allowed: text, prefix, required, banned"),
    ],
)
def test_bad_lines_are_named(raw: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parsed(raw, "in:7")


@pytest.mark.parametrize("terms", [{"": "x"}, {" \u3000": "x"}, {"dog": ""}])
def test_terms_and_phrases_are_not_empty(terms: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="glossary: expected a term and a phrase"):
        Glossary(terms)


def test_phrases_that_would_need_very_much_memory_are_refused() -> None:
    for line in (
        Line("dog", required=("der hund " * 200,)),
        Line("dog", required=tuple(f"hund {n}" for n in range(200))),
    ):
        with pytest.raises(ConfigError, match=r"required: .* may have .* tokens"):
            list(translator().translate([line], "en", "de"))
