"""What readers take for the same is the same text."""

import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2seq.data.tokenizer import canonical
from seq2seq.data.tokenizer.canonical import (
    TracedText,
    source_text,
    target_text,
    traced_source,
    traced_spaces,
    traced_target,
)

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
SPACES = [one for one in map(chr, range(sys.maxunicode)) if one.isspace()]
NASTY = (
    "ab Ä1.,'\"-«»“’–—…　１．：ｱﾊﾟﾞﬁſⅣﷺﷲµ´\u0301\u0308\u0338\u3099か\u1100\u1161\u11a8"
    "\u00a0\u202f\u2028\x85\t\x00\x92\u00ad\u200b\u200c\u200d\u200e\u2060\ufeff\ufe0f\u20e3\U000e0100\U000e0067"
    "مـی\u0d28\u0d4dक\u094dกำ\u0e4d\u0e32中。\U0001f469\U0001f3f4❤▁"
)
TEXT = st.text(st.sampled_from(NASTY) | st.characters(exclude_categories=["Cs"]), max_size=30)
HALVES = st.text(st.sampled_from(NASTY + "\ud83d\ude00") | st.characters(), max_size=30)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("don’t “do” – it…", 'don\'t "do" - it...'),
        ("„Ja“, sagt sie. »Ja«, ‚ja‘ ‹ja› 5′ 6″ צה״ל", '"Ja", sagt sie. "Ja", \'ja\' \'ja\' 5\' 6" צה"ל'),
        ("« Oui », dit-elle. »Ja« und »Nein«", '"Oui", dit-elle. "Ja" und "Nein"'),
        ("10–20 dogs—two of them—play — alone −5", "10-20 dogs - two of them - play - alone -5"),
        ("１２：３０　ＡＢＣ　５．５％！（はい）", "12:30 ABC 5.5% ！（はい）".replace("% ！", "%！")),
        ("ﾊﾟﾝ ｶﾞ", "パン ガ"),
        ("ﬁne eﬃcient Ⅳ ĳs µm m² ½ ① ª", "fine efficient IV ijs μm m² ½ ① ª"),
        ("cafe\u0301 か\u3099 \u1112\u1161\u11ab", "café が 한"),
        ("e\u00ad\u0301", "é"),
        ("seven\u200bhundred, \u200bhau\u00adse\u2060 \ufeffa\u200e.", "seven hundred, hause a."),
        ("Yes,\u200bit is.\u200bNo\u200b(why\u200b?)\u200b“so\u200b”", 'Yes, it is. No (why?) "so"'),
        ("a-\u200bb a_\u200bb https://a.b/\u200bc?d=\u200be", "a-b a_b https://a.b/c?d=e"),
        ("กา\u200bขา 中\u200b国 https://a.b/\u200bc น\u0e33", "กาขา 中国 https://a.b/c น\u0e33"),
        ("می\u200cخواهم ab\u200cc क\u094d\u200dष a\u200db", "می\u200cخواهم abc क\u094d\u200dष ab"),
        ("അവന\u0d4d\u200d", "അവൻ"),
        (f"{FAMILY} ❤\ufe0f 1\ufe0f\u20e3 a\ufe0f 葛\U000e0100", f"{FAMILY} ❤\ufe0f 1\ufe0f\u20e3 a 葛"),
        ("\U0001f3f4\U000e0067\U000e007f a\U000e0067", "\U0001f3f4\U000e0067\U000e007f a"),
        ("مـــرحبا هـ ﻻ ﷺ", "مرحبا هـ لا ﷺ"),
        ("a\x00b don\x92t \x93x\x94", 'a b don\'t "x"'),
        ("ㅋㅋㅋ ￦ ０", "ㅋㅋㅋ ₩ 0"),
        ('`a` A-B, it\'s "x"...', '`a` A-B, it\'s "x"...'),
    ],
)
def test_one_form_of_each(text: str, read: str) -> None:
    assert source_text(text) == read


@pytest.mark.parametrize("space", SPACES)
def test_every_space_is_one(space: str) -> None:
    assert source_text(f"two{space}dogs") == traced_spaces(f"two{space}dogs").text == "two dogs"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("« l’eau\u00a0» – „e\u0301“\u202f! １２　ﬁ…", "« l’eau\u00a0» – „é“\u202f! １２　ﬁ…"),
        ("hau\u00adse\ufeff a\u200e\tb\u2028c\x00d", "hause a b c d"),
    ],
)
def test_target_text_keeps_its_typography(text: str, written: str) -> None:
    assert target_text(text) == written


def test_spaces_alone() -> None:
    assert traced_spaces("l’eau\u00a0– e\u0301\u00ad１").text == "l’eau – e\u0301１"


@given(HALVES)
@settings(max_examples=500, deadline=None)
def test_twice_is_once(text: str) -> None:
    for form in (source_text, target_text):
        assert form(form(text)) == form(text)
        assert unicodedata.is_normalized("NFC", form(text))
    assert not set(source_text(text)) & (set(SPACES) - {" "})
    assert source_text(target_text(text)) == target_text(source_text(text)) == source_text(text)


@example("\u00d9\U000e0100")  # a letter that can be decomposed, and a selector
@given(TEXT)
@settings(max_examples=500, deadline=None)
def test_equivalent_texts_are_read_alike(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert source_text(unicodedata.normalize(form, text)) == source_text(text)
        assert target_text(unicodedata.normalize(form, text)) == target_text(text)


@given(HALVES)
@settings(max_examples=500, deadline=None)
def test_traced_text_is_the_text_and_every_word_comes_from_a_word(text: str) -> None:
    for traced, plain in ((traced_source(text), source_text(text)), (traced_target(text), target_text(text))):
        assert traced.text == plain
        assert len(traced.origins) == len(plain)
        assert all(one <= other for one, other in pairwise(traced.origins))
        assert all(
            not text[place].isspace() for place, one in zip(traced.origins, plain, strict=True) if not one.isspace()
        )


@given(st.lists(HALVES, max_size=4))
@settings(max_examples=300, deadline=None)
def test_words_do_not_depend_on_their_neighbours(parts: list[str]) -> None:
    for form in (source_text, target_text):
        assert form(" | ".join(parts)) == " | ".join(map(form, parts))


def test_what_is_passed_over_would_not_change() -> None:
    """The classes of characters for which no rule is tried."""
    every = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]
    for unchanged, steps in ((canonical.USUAL, canonical.SOURCE), (canonical.WRITTEN, canonical.TARGET)):
        text = "|".join(one for one in every if unchanged.fullmatch(one) and unicodedata.is_normalized("NFC", one))
        for step in steps:
            assert step.apply(text) == text


def test_a_text_is_traced_through_what_is_done_to_it() -> None:
    traced = TracedText.given("a\u0301ｂ—ｃ")
    assert traced.composed() == TracedText("áｂ—ｃ", [0, 2, 3, 4])
    assert traced_source("a\u0301ｂ—ｃ") == TracedText("áb - c", [0, 2, 3, 3, 3, 4])
