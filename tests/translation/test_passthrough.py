"""What nobody translates comes out as it stands."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import greedy
from toy_text import vocabulary
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

from seq2seq.data.corpus.files import Files
from seq2seq.data.corpus.jsonl import JSONL
from seq2seq.data.dataset.prepare import prepare
from seq2seq.errors import ConfigError, ModelError
from seq2seq.translation.api import load
from seq2seq.translation.folder import save
from seq2seq.translation.stages import chunking as stretches
from seq2seq.translation.stages.passthrough import Letterless, Passthrough, translates_letterless
from seq2seq.translation.stages.placeholders import mask, restore
from seq2seq.translation.translation import Candidate, Status, Translation
from seq2seq.translation.translator import Translator

ADDRESSES = [
    "https://example.com/a?b=c#d",
    "http://a.b",
    "ftp://ann@example.com:21/x;y",
    "www.example.org",
    "example.com/a",
    "example.com",
    "ann.b+c@ex-ample.co.uk",
    "mailto:ann@example.com",
    "/usr/share/doc/a.txt",
    "~/a/b",
    "../a/b",
    "C:\\Users\\ann\\x.txt",
    "\\\\server\\folder",
    "https://en.wikipedia.org/wiki/A_(b)",
]


def untranslated(letterless: Letterless = "translate") -> Passthrough:
    return Passthrough(True, 100, letterless, True)


def found(line: str, language: str = "en") -> list[str]:
    return [line[begin:end] for begin, end in untranslated().runs(line, language)]


def translator(letterless: Letterless, learnt: Sequence[tuple[str, str]] = ()) -> Translator:
    parts = (random_model(), toy_tokenizer(), greedy(1.0, 3), DIRECTIONS, 30, 60, torch.float32, torch.device("cpu"))
    return Translator(*parts, unknown_words="copy", passthrough=untranslated(letterless), letterless=learnt)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_found_without_the_punctuation_around_it(address: str) -> None:
    for before, behind in [("", ""), ("see ", "."), ("see ", ", or"), ("", "!"), ("at: ", "?"), ("a – ", " …")]:
        assert found(f"{before}{address}{behind}") == [address]
    for pair in ["()", "[]", "<>", "“”", '""']:
        assert found(f"see {pair[0]}{address}{pair[1]}.") == [f"{pair[0]}{address}{pair[1]}"]


@pytest.mark.parametrize(
    "line",
    [
        "and/or he/she 1/2 3/4/2005 w/o n/a",
        "24/7 at 10:30/11:30, 1.5/2.5 km/h, $1.25/month",
        "U.S./UK, e.g./i.e., a.m./p.m., Inc./Ltd.",
        "The end.The next one.",
        "Mr. X @ home, x@y",
        "</div></p> a<b/>",
        "St. Mary's/St. Paul's",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "well - known -- and so on ... !!!",
        "a\\b c:d",
    ],
)
def test_nothing_else_is_taken_for_one(line: str) -> None:
    assert found(line) == []


def test_addresses_end_where_a_language_without_spaces_goes_on() -> None:
    assert found("日本はhttps://x.jp/aです。", "ja") == ["https://x.jp/a"]
    assert found("/寄木造/平安時代/国宝、ann@x.jpとexample.comへ/usr/binは", "ja") == [
        "ann@x.jp",
        "example.com",
        "/usr/bin",
    ]
    assert found("東" * 200, "ja") == [] and found("東" * 101, "en") == ["東" * 101]


def test_long_runs_are_no_words() -> None:
    assert found(f"a {'ab3=' * 30} b {'-' * 101}") == ["ab3=" * 30, "-" * 101]
    assert found("x" * 100) == [] and found("a," * 200) == []
    assert Passthrough(True, None, "copy", True).runs("x" * 1000, "en") == []
    assert Passthrough(False, None, "copy", True).runs("https://example.com", "en") == []
    with pytest.raises(ConfigError, match=r"max_word_length: expected a positive int or null, got 0"):
        Passthrough(True, 0, "copy", True)


@pytest.mark.parametrize("unit", ["a", "a.", "/a", "a@", "a@a.", "a-.", "://", "www.", "http://", "\\\\a", "a.b/", "@"])
def test_no_line_takes_long_to_look_through(unit: str) -> None:
    """Patterns that try every place again would take seconds for these."""
    line = unit * (16_000 // len(unit)) + " x"
    began = time.process_time()
    untranslated().runs(line, "en")
    assert time.process_time() - began < 1.0


@given(st.lists(st.sampled_from([*ADDRESSES, "the", "dog", "Ω", "🐕", ".", ",", "(", ")", "x" * 120]), max_size=8))
@settings(max_examples=200, deadline=None)
def test_what_is_found_is_neither_lost_nor_changed(parts: list[str]) -> None:
    line = " ".join(parts)
    taken = mask(line, "en", lambda word: word in "Ω🐕", False, {}, untranslated().runs(line, "en"))
    back = restore(Candidate(taken.text.strip(), 0.0), taken, "de").text if taken.placeholders else line
    for address in {*parts} - {"(", ")", ".", ","}:
        assert back.count(address) == line.count(address)
    assert not set(taken.text.split()) & {*ADDRESSES, "x" * 120, "Ω", "🐕"}


def test_an_address_in_a_sentence_is_copied_and_alone_it_is_the_translation() -> None:
    lines = ["the dog sees https://example.com/a?b=c.", "  https://example.com  ", "x" * 500, "see: www.example.org!"]
    whole = list(translator("translate").translate(lines, "en", "de", alignments=True))
    assert "https://example.com/a?b=c" in whole[0].text and whole[1].text == lines[1] and whole[2].text == lines[2]
    assert all(one.status is Status.UNKNOWN for one in whole[1:3]) and Status.UNKNOWN in whole[0].notes
    assert whole[1].best[0].alignment == ((0, 0),)
    assert "www.example.org" in whole[3].text


def test_lines_without_letters_are_copied_unless_the_model_learnt_to_translate_them() -> None:
    lines = [
        "...",
        ". . .",
        "12:30",
        "+49 30 1234567",
        "----",
        "???",
        "🐕, 🐕 !",
        "(https://example.com) 1.",
        "12:30 one",
        "12\u30003",
    ]

    def copies(one: Translator) -> list[bool]:
        every = list(one.translate(lines, "en", "de"))
        same = [translation.text == line for line, translation in zip(lines, every, strict=True)]
        assert all(
            translation.status is Status.UNKNOWN for translation, is_same in zip(every, same, strict=True) if is_same
        )
        return same

    always = [True] * 8 + [False, True]
    assert copies(translator("copy")) == copies(translator("learnt")) == always
    assert copies(translator("copy", DIRECTIONS)) == copies(translator("learnt", [("de", "en")])) == always
    assert not any(copies(translator("learnt", DIRECTIONS))[:2])
    assert not any(copies(translator("translate"))[:2])


def test_a_giant_run_comes_out_without_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "MAX_CHUNK", 3000)
    lines = ["one " + "Ab3=" * 3000 + " two", "1234567890" * 1000, "9 " * 5000, "🐕" * 9000]
    every: list[Translation] = list(translator("copy").translate(lines, "en", "de"))
    assert "Ab3=" * 3000 in every[0].text
    assert [one.text for one in every[1:]] == lines[1:]
    assert all(one.notes == (Status.UNKNOWN, Status.SPLIT) for one in every[1:])


@pytest.mark.parametrize(
    ("pairs", "translated"),
    [
        ([("12:30", "halb")] * 10, True),
        ([("12:30", "halb")] * 9, False),
        ([("12:30", "halb")] * 10 + [("???", " ??? ")] * 9, True),
        ([("12:30", "halb")] * 10 + [("???", "???")] * 10, False),
        ([("one 12", "eins")] * 20, False),
    ],
)
def test_the_training_text_tells_whether_such_lines_are_translated(
    tmp_path: Path, pairs: list[tuple[str, str]], translated: bool
) -> None:
    for side, language in enumerate(("en", "de")):
        (tmp_path / f"train.{language}").write_text("".join(f"{pair[side]}\n" for pair in pairs), "utf-8")
    corpus = Files(str(tmp_path), ["en-de"], ["en", "de"], ["train"], [], [])
    store = prepare(corpus, {}, toy_tokenizer(), tmp_path / "cache", 1000).train
    assert translates_letterless(store) == ([("en", "de")] if translated else [])


def test_a_direction_with_little_text_is_looked_at_like_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2seq.translation.stages.passthrough.ROWS", 100)
    records = [{"en": f"a {number}", "de": f"b {number}"} for number in range(2000)] + [{"en": "1:30", "fr": "x"}] * 10
    text = "".join(f"{json.dumps(record)}\n" for record in records)
    (tmp_path / "train.jsonl").write_text(text, "utf-8")
    corpus = JSONL(str(tmp_path), ["en-de", "en-fr"], [], ["train"], [], [])
    store = prepare(corpus, {}, vocabulary(size=290), tmp_path / "cache", 1000).train
    assert translates_letterless(store) == [("en", "fr")]


def test_a_folder_tells_it_and_of_an_older_one_nobody_knows(tmp_path: Path) -> None:
    told: dict[str, dict[str, object]] = {
        "new": {"letterless": []},
        "learnt": {"letterless": [["en", "de"]]},
        "old": {},
    }
    for name, about in told.items():
        save(tmp_path / name, random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {}, about)
    for name, direction, copied in [
        ("new", 0, True),
        ("learnt", 0, False),
        ("learnt", 1, True),
        ("old", 0, False),
        ("old", 1, False),
    ]:
        [one] = load(tmp_path / name, "greedy").translate(["..."], *DIRECTIONS[direction])
        assert (one.text == "...") is copied
    save(tmp_path / "bad", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {}, {"letterless": ["en"]})
    with pytest.raises(ModelError, match=r"letterless: expected directions or null, got \['en'\]"):
        load(tmp_path / "bad", "greedy")
