"""Alignments count the words of the user's line, whatever it is made of: those that `str.split` finds."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import greedy
from toy_translator import DIRECTIONS, random_model, toy_tokenizer

from seq2seq.data.tokenizer.canonical import TracedText
from seq2seq.data.tokenizer.tokenizer import Tokenizer, marked_canonical
from seq2seq.translation.scoring import PairScorer
from seq2seq.translation.stages.passthrough import Passthrough
from seq2seq.translation.stages.placeholders import Unknown
from seq2seq.translation.stages.words import numbers, words
from seq2seq.translation.translator import Translator

pytestmark = pytest.mark.slow

NASTY = "\u00a0\u202f\u2028\u3000\x85\x1c\t\x00\u00ad\u200b\u200c\u200d\u2060\ufeffe\u0301ﬁ…—▁ﷺ🐕男\ufe0f１'’"
WORDS = ["the", "dog", "house", "sees", "two.", "https://a.b/c–d", "x" * 120, "3.5", " ", "  ", *NASTY]
LINE = st.lists(st.sampled_from(WORDS) | st.characters(), max_size=8).map("".join)


@cache
def translator(canonical: bool, longest: int, unknown: Unknown) -> Translator:
    tokenizer = Tokenizer([marked_canonical(model) if canonical else model for model in toy_tokenizer().models])
    parts = (random_model(), tokenizer, greedy(1.0, 3), DIRECTIONS, longest, 500, torch.float32, torch.device("cpu"))
    return Translator(*parts, unknown_words=unknown, passthrough=Passthrough(True, 100, "learnt", True))


@pytest.mark.parametrize("canonical", [False, True])
@pytest.mark.parametrize("longest", [16, 100])
@pytest.mark.parametrize("unknown", ["keep", "copy"])
@given(lines=st.lists(LINE, min_size=1, max_size=3))
@settings(max_examples=8, deadline=None)
def test_every_link_joins_words_of_the_line_and_of_its_translation(
    canonical: bool, longest: int, unknown: Unknown, lines: list[str]
) -> None:
    found = translator(canonical, longest, unknown).translate(lines, "en", "de", alignments=True)
    for line, translation in zip(lines, found, strict=True):
        for one in translation.best:
            assert one.alignment is not None
            for source, target in one.alignment:
                assert 0 <= source < len(line.split()), (line, one)
                assert 0 <= target < len(one.text.split()), (line, one)


@pytest.mark.parametrize("canonical", [False, True])
@given(pairs=st.lists(st.tuples(LINE, LINE), min_size=1, max_size=3))
@settings(max_examples=8, deadline=None)
def test_so_do_those_of_given_translations(canonical: bool, pairs: list[tuple[str, str]]) -> None:
    scorer = PairScorer(translator(canonical, 100, "keep"), 200)
    [found] = scorer.score([pairs], "en", "de", alignments=True)
    for (line, translation), score in zip(pairs, found, strict=True):
        for source, target in score.alignment or ():
            assert 0 <= source < len(line.split()), (line, translation)
            assert 0 <= target < len(translation.split()), (line, translation)


@pytest.mark.parametrize(
    "odd", ["the\u200bdog sees the house.", "the\u00a0dog—sees the\u00ad house.", "the\x00dog sees the e\u0301."]
)
@pytest.mark.parametrize("canonical", [False, True])
def test_words_are_those_that_the_user_sees(canonical: bool, odd: str) -> None:
    """A copied word tells where it stands."""
    [found] = translator(canonical, 100, "copy").translate([f"{odd} 🐕 dog"], "en", "de", alignments=True)
    alignment, copied = found.best[0].alignment or (), found.text.split().index("🐕")
    assert ([*odd.split(), "🐕", "dog"]).index("🐕") in [source for source, target in alignment if target == copied]


def test_numbers_of_words() -> None:
    given = "a\u200bb  c—d"
    read = TracedText("a b  c - d", [0, 1, 2, 3, 4, 5, 6, 6, 6, 7])
    assert numbers(read, given, "en") == [0, 0, 1, 1, 1]
    assert numbers(read, given, "zh") == [0, 2, 3, 4, 5]
    assert words(" a\u3000b▁c ", "en") == ["a", "b▁c"]
    assert words(" a\u3000b▁ ", "ja") == ["a", "b", "▁"]
