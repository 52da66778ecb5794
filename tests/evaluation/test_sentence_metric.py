"""Scores of sentences are sacreBLEU's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu import sentence_bleu, sentence_chrf

from seq2seq.evaluation.sentence_metric import BLEU, ChrF

WORDS = ["a", "dog", "dogs", "the house", "Haus", "große", "sleeps", ".", ",", "漢字", " ", "-"]
LINE = st.one_of(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), st.text(max_size=30))


@settings(max_examples=200, deadline=None)
@given(hypotheses=st.lists(LINE, max_size=4), reference=LINE)
def test_chrf_is_sacrebleus(hypotheses: list[str], reference: str) -> None:
    found = ChrF()(hypotheses, reference, "de")
    assert found == pytest.approx([sentence_chrf(one, [reference]).score for one in hypotheses])


@settings(max_examples=50, deadline=None)
@given(hypotheses=st.lists(LINE, max_size=4), reference=LINE)
def test_bleu_is_sacrebleus(hypotheses: list[str], reference: str) -> None:
    found = BLEU()(hypotheses, reference, "de")
    assert found == pytest.approx([sentence_bleu(one, [reference]).score for one in hypotheses])


def test_the_language_says_what_bleu_takes_for_a_word() -> None:
    assert BLEU()(["我喜欢狗"], "我喜欢猫", "zh")[0] > BLEU()(["我喜欢狗"], "我喜欢猫", "de")[0]
