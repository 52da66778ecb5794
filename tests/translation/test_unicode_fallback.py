"""What a tokenizer has no pieces for is read by what it has, where that means the same."""

import string
import unicodedata

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import greedy
from toy_translator import DIRECTIONS, Echo, toy_tokenizer

from seq2seq.data.tokenizer.canonical import TracedText, around
from seq2seq.translation.stages.passthrough import Passthrough
from seq2seq.translation.stages.unicode_fallback import traced_unicode_fallback, unicode_fallback
from seq2seq.translation.translation import Status
from seq2seq.translation.translator import Translator

KNOWN = frozenset(string.ascii_letters + string.digits + string.punctuation + " äöüß")
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
TEXT = st.text(st.sampled_from("ab ä’“–…²½\u200b\u200d\u0308\u202e\ufeff") | st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("don’t “do” – it…", 'don\'t "do" - it...'),
        ("ﬁne Ⅳ ｗｉｄｅ", "fine IV wide"),
        ("a\u0308 u\u0308ber", "ä über"),
        ("A\u200bman\u200b walks\u200d down\u2060.", "A man  walks down."),
        ("\u202eTwo\u202c\ufeff do\u00adgs", "Two dogs"),
        ("m² ½ ① x₂", "m² ½ ① x₂"),
        ("a dog۔ a man। what؟ one، two؛ 三。", "a dog. a man. what? one, two; 三."),
        (f"{FAMILY} ❤\ufe0f", f"{FAMILY} ❤\ufe0f"),
        ("Ω é 男", "Ω é 男"),
        ("\u200b\ufeff\u200d", " "),
    ],
)
def test_what_means_the_same_takes_its_place(text: str, read: str) -> None:
    assert unicode_fallback(text, KNOWN) == read


def test_marks_that_are_known_stay() -> None:
    assert (
        unicode_fallback("a\u200db\u200e \u200bΩ", KNOWN | {"\u200d", "\u200e", "\u200b"}) == "a\u200db\u200e \u200bΩ"
    )


def test_a_model_of_small_letters_reads_capitals() -> None:
    assert unicode_fallback("Two DOGS in Österreich", KNOWN - set(string.ascii_uppercase)) == "two dogs in österreich"
    assert unicode_fallback("Two Ödogs", KNOWN) == "Two ödogs"
    assert unicode_fallback("ÀÜB", KNOWN) == "Àüb"


@given(TEXT, st.sets(st.sampled_from("’“–…²\u200b\u200d\u202e\ufeff\u0308é")))
@settings(max_examples=300, deadline=None)
def test_what_is_known_stays_and_nothing_becomes_unknown(text: str, more: set[str]) -> None:
    known = KNOWN | more
    found = unicode_fallback(text, known)
    assert found == text or not known >= set(text)
    assert set(found) - known <= set(unicodedata.normalize("NFC", text)) - known
    assert unicode_fallback(found, known) == found


@given(st.lists(TEXT, min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_runs_stay_as_they_are(parts: list[str]) -> None:
    """Every other part is one."""
    ends = [len("".join(parts[: number + 1])) for number in range(len(parts))]
    runs = [(ends[number] - len(parts[number]), ends[number]) for number in range(1, len(parts), 2)]
    traced, places = around("".join(parts), runs, lambda part: traced_unicode_fallback(TracedText.given(part), KNOWN))
    line = traced.text
    assert len(traced.origins) == len(line)
    assert [line[begin:end] for begin, end in places] == parts[1::2]
    rest = "".join(unicode_fallback(part, KNOWN) for part in parts[::2])
    assert (
        "".join(
            line[begin:end]
            for begin, end in zip(
                [0, *(end for _, end in places)], [*(begin for begin, _ in places), len(line)], strict=True
            )
        )
        == rest
    )


def test_the_model_sees_them_and_what_is_copied_stays_as_it_is() -> None:
    parts = (Echo(), toy_tokenizer(), greedy(1.0, 3), DIRECTIONS, 100, 500, torch.float32, torch.device("cpu"))
    reading = Translator(*parts, unknown_words="copy", passthrough=Passthrough(True, None, "copy", True))
    lines = [
        "the\u200bdog ｓｅｅｓ\ufeff the house.",
        "\u200b\ufeff",
        "https://a.b/–’ “",
        "große",
        "gro\u00dfe hau\u00adse’",
        "1\u200b2",
    ]
    found = list(reading.translate(lines, "en", "de"))
    assert [one.text for one in found[:3]] == ["the dog sees the house.", "", "https://a.b/–’ “"]
    assert [Status.UNKNOWN in one.notes for one in found[:3]] == [False, False, True]
    assert found[1].status is Status.BLANK and not found[1].best
    assert found[4].text == "große hause ’" and found[5].text == lines[5]
    kept = list(Translator(*parts, unknown_words="keep").translate(lines, "en", "de"))
    assert kept[0].text != found[0].text
