"""Words that a model cannot read are taken out of a line, and stand in its translation where they belong."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import beam, greedy
from toy_translator import DIRECTIONS, Echo, random_model, toy_tokenizer

from seq2seq.errors import ConfigError
from seq2seq.network.state import AutoregressiveModel
from seq2seq.search.base import Search
from seq2seq.translation.stages.placeholders import MaskedLine, Unknown, mask, restore
from seq2seq.translation.stages.words import words
from seq2seq.translation.translation import Candidate, Status
from seq2seq.translation.translator import Translator

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
PARTS = st.sampled_from(
    ["dog", "the", "Ω", "王明", "🐕", FAMILY, "❤\ufe0f", ".", ",", "!", "(", ")", "x-y", "naïve", "’"]
)
LINE = st.lists(st.tuples(PARTS, st.sampled_from(["", " ", "  "])), max_size=8).map(
    lambda parts: "".join(part + space for part, space in parts)
)


def strange(word: str) -> bool:
    return any(ord(letter) > 0x200 and letter != "’" for letter in word)


def translator(unknown: Unknown, model: AutoregressiveModel | None = None, search: Search | None = None) -> Translator:
    parts = (model or random_model(), toy_tokenizer(), search or greedy(1.0, 3), DIRECTIONS, 30, 60)
    return Translator(*parts, torch.float32, torch.device("cpu"), unknown_words=unknown)


@pytest.mark.parametrize(
    ("line", "left", "back"),
    [
        ("a dog 🐕 plays", "a dog plays", "a dog 🐕 plays"),
        ("a dog plays 🐕.", "a dog plays.", "a dog plays 🐕."),
        ("🐕 a dog", " a dog", "🐕 a dog"),
        ("a 🐕🐕 dog, 王明!", "a dog,!", "a 🐕🐕 dog, 王明!"),
        (f"x {FAMILY}❤\ufe0f y", "x y", f"x {FAMILY}❤\ufe0f y"),
        ("one🐕two", "one two", "one 🐕 two"),
        ("王明", "", "王明"),
        ("nothing strange", "nothing strange", "nothing strange"),
    ],
)
def test_what_is_taken_out_comes_back_in_its_place(line: str, left: str, back: str) -> None:
    """Where a translation is its source, word for word, it is the whole line again."""
    taken = mask(line, "en", strange, False, {})
    assert taken.text == left
    count = len(words(left, "en"))
    same = Candidate(" ".join(words(left, "en")), -1.0, (), tuple((word, word) for word in range(count)))
    whole = restore(same, taken, "de") if taken.placeholders else same
    assert whole.text == back
    assert whole.score == -1.0


@given(LINE, st.booleans())
@settings(max_examples=300, deadline=None)
def test_nothing_is_lost_and_numbers_are_those_of_the_whole_line(line: str, symbols_only: bool) -> None:
    taken = mask(line, "en", strange, symbols_only, {})
    whole, left = words(line, "en"), words(taken.text, "en")
    if not taken.placeholders:
        assert taken == MaskedLine(line)
        return
    if taken.whole is not None:
        assert taken.whole == line and not left
        assert restore(Candidate("", 0.0, (), ()), taken, "de").text == line
        return
    letters = sorted(letter for letter in line if not letter.isspace())
    assert sorted("".join([*left, *(held.text for held in taken.placeholders)])) == letters
    assert not any(
        strange(letter) and (not symbols_only or not letter.isalnum()) for letter in taken.text if letter != "\u200d"
    )
    assert len(taken.numbers) == len(left) and list(taken.numbers) == sorted(taken.numbers)
    assert all(left[place][0] in whole[number] for place, number in enumerate(taken.numbers))
    assert all(held.text in whole[held.number] and 0 <= held.before <= len(left) for held in taken.placeholders)
    same = Candidate(" ".join(left), 0.0, (), tuple((word, word) for word in range(len(left))))
    back = restore(same, taken, "de")
    assert sorted(letter for letter in back.text if not letter.isspace()) == letters
    assert back.alignment is not None
    targets = words(back.text, "de")
    for source, target in back.alignment:
        assert set(targets[target]) & set(whole[source])


def test_a_dictionary_says_what_comes_instead() -> None:
    taken = mask("a 王明 plays", "en", strange, False, {"王明": "Wang Ming"})
    found = restore(Candidate("ein spielt", 0.0, (), ((0, 0), (1, 1))), taken, "de")
    assert found.text == "ein Wang Ming spielt"
    assert found.alignment == ((0, 0), (1, 1), (1, 2), (2, 3))


def test_where_words_are_not_spaced_characters_are_taken_out() -> None:
    taken = mask("日本Ωです", "ja", lambda letter: letter == "Ω", False, {})
    assert taken.text == "日本です" and taken.numbers == (0, 1, 3, 4)
    assert restore(Candidate("日本です", 0.0, (), ((0, 0), (1, 1), (2, 2))), taken, "zh").text == "日本Ωです"


def test_latin_words_do_not_grow_together_where_words_are_not_spaced() -> None:
    taken = mask("see a.b c.d 🐕 now", "en", strange, False, {}, [(4, 7), (8, 11)])
    assert taken.text == "see now" and [held.text for held in taken.placeholders] == ["a.b", "c.d", "🐕"]
    found = restore(Candidate("OK看", 0.0, (), ((0, 1), (1, 2))), taken, "ja")
    assert found.text == "OK a.b c.d🐕看"
    assert found.alignment == ((0, 1), (1, 2), (1, 3), (1, 4), (2, 5), (2, 6), (2, 7), (3, 8), (4, 9))


def test_spaces_of_a_translation_stay_where_words_are_not_spaced() -> None:
    taken = mask("see 🐕 now {n, one {a dog}}", "en", strange, False, {}, [(10, 26)])
    found = restore(Candidate("ดู New York ใหม่ ครับ", 0.0, (), ((0, 0), (0, 1), (1, 11), (1, 12))), taken, "th")
    assert found.text == "ดู🐕 New York ใหม่{n, one {a dog}} ครับ"
    assert found.alignment == ((0, 0), (0, 1), (1, 2), (2, 12), (2, 13), *((3, place) for place in range(14, 27)))


def test_without_an_alignment_a_word_goes_as_far_along() -> None:
    taken = mask("one two 🐕 three four", "en", strange, False, {})
    assert restore(Candidate("eins zwei drei vier", 0.0), taken, "de").text == "eins zwei 🐕 drei vier"


@pytest.mark.parametrize("model", [random_model(), Echo()])
def test_what_a_model_cannot_read_stands_in_its_translations(model: AutoregressiveModel) -> None:
    lines = ["the dog 🐕 sees Ω", "Ωμέγα", "one two", "", "🐕", "the 🐕 dog sees the house. " * 6]
    plain = list(translator("keep", model).translate(lines, "en", "de"))
    signs = list(translator("symbols", model).translate(lines, "en", "de"))
    both = list(translator("copy", model).translate(lines, "en", "de"))
    assert plain[2] == signs[2] == both[2] or plain[2].text == signs[2].text == both[2].text
    assert "🐕" in signs[0].text and "🐕" in both[0].text and "Ω" in both[0].text
    assert both[1].text == "Ωμέγα" and both[4].text == signs[4].text == "🐕"
    assert both[5].text.count("🐕") == 6
    assert [Status.UNKNOWN in one.notes for one in both] == [True, True, False, False, True, True]
    assert [Status.UNKNOWN in one.notes for one in signs] == [True, False, False, False, True, True]
    assert all(Status.UNKNOWN not in one.notes for one in plain)
    assert both[4].status is Status.UNKNOWN and both[3].status is Status.BLANK
    assert all(one.alignment is None for found in both for one in found.best)


def test_every_candidate_has_them() -> None:
    [found] = translator("copy", search=beam(4, 3, factor=1.0)).translate(["the dog 🐕 sees"], "en", "de")
    assert len(found.best) == 3 and all("🐕" in one.text for one in found.best)
    assert found.text == found.best[0].text


def test_a_dictionary_without_use_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"dictionary: nothing is looked up where translator\.unknown_words=keep"):
        translator("keep").translate(["one"], "en", "de", dictionary={"a": "b"})
    [found] = translator("copy").translate(["the Ω"], "en", "de", dictionary={"Ω": "Ende"})
    assert "Ende" in found.text and "Ω" not in found.text
