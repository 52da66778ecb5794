"""Scores of text: what any of them must obey, whoever computes it."""

import math

import pytest

from seq2seq.errors import DataError
from seq2seq.evaluation import metric
from seq2seq.evaluation.metric import bleu_and_chrf, bleu_tokenizer, missing_tokenizers, score

LINES = [
    f"The {animal} number {number} sees the big house, and sleeps."
    for number, animal in enumerate(["dog", "cat", "cow"])
]
WORSE = [LINES[0], "The cat sees a house.", "Nothing at all"]


@pytest.mark.parametrize("target", ["de", "zh", "ja", "ko"])
def test_perfect_translations_are_perfect(target: str) -> None:
    found = score(LINES, LINES, target)
    assert found.bleu == pytest.approx(100)
    assert found.chrf == pytest.approx(100)
    assert (found.ter, found.exact) == (0, 100)


def test_better_translations_score_better() -> None:
    better, worse = score(WORSE, LINES, "de"), score(WORSE[1:] + WORSE[:1], LINES, "de")
    assert better.bleu > worse.bleu
    assert better.chrf > worse.chrf
    assert better.ter < worse.ter
    assert better.exact == pytest.approx(100 / 3)
    assert worse.exact == 0


def test_every_line_has_one_reference() -> None:
    """References must not be taken for several references of the first line, which only a shuffle shows."""
    order = [2, 0, 1]
    same = score([WORSE[place] for place in order], [LINES[place] for place in order], "de")
    assert same == score(WORSE, LINES, "de")
    assert "nrefs:1|" in same.signature["bleu"]
    assert score(["a b c d"], ["a b c d"], "de").bleu == pytest.approx(100)


def test_signatures_say_how() -> None:
    signature = score(LINES, LINES, "de").signature
    assert set(signature) == {"bleu", "chrf", "ter"}
    assert "tok:13a" in signature["bleu"]
    assert "case:mixed" in signature["bleu"]
    assert all("version:" in text for text in signature.values())


def test_words_of_languages_without_spaces_are_found() -> None:
    hypothesis, reference = ["猫は家を見る。"], ["犬は家を見る。"]
    for target in ("zh", "ja", "ko"):
        assert f"tok:{bleu_tokenizer(target)}" in score(hypothesis, reference, target).signature["bleu"].replace(
            "tok:ja-mecab-", "tok:ja-mecab|"
        )
        assert score(hypothesis, reference, target).ter < 100
    assert score(hypothesis, reference, "de").ter == 100
    assert bleu_tokenizer("zh") == "zh"
    assert bleu_tokenizer("en") == "13a"


def test_characters_are_counted_where_mecab_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = metric.BLEU

    def without_extras(tokenize: str, lowercase: bool = False) -> object:
        if "mecab" in tokenize:
            raise RuntimeError("requires extra dependencies")
        return whole(tokenize=tokenize, lowercase=lowercase)

    monkeypatch.setattr(metric, "BLEU", without_extras)
    assert bleu_tokenizer("ja") == bleu_tokenizer("ko") == "char"
    assert "tok:char" in score(["猫は家を見る。"], ["犬は家を見る。"], "ja").signature["bleu"]
    messages = missing_tokenizers(["ja_JP", "de", "kor", "ja_JP", "th"])
    assert [message.split(":")[0] for message in messages] == ["BLEU of ja_JP", "BLEU of kor"]
    assert all("MeCab is not installed" in message and "tok:char" in message for message in messages)


HALF_RIGHT = {  # a reference and a translation of it whose second half is another one
    "th km lo my bo th_TH tha_Thai khm lao mya_Mymr": ("กขคงจฉชซ", "กขคงฎฏฐฑ"),
    "ja jpn ja_JP ja_XX": ("ねこがねています", "ねこがはしります"),
    "zh ZH zh_CN zh-CN zho cmn zh_Hans zh_Hant yue wuu": ("我看见一只大猫", "我看见一条小狗"),
}


@pytest.mark.parametrize("codes", HALF_RIGHT)
def test_half_right_lines_are_half_right_however_the_code_is_spelt(codes: str) -> None:
    reference, hypothesis = HALF_RIGHT[codes]
    found = {code: score([hypothesis] * 3, [reference] * 3, code) for code in codes.split()}
    assert len({(one.bleu, one.ter, *one.signature.values()) for one in found.values()}) == 1
    one = next(iter(found.values()))
    assert 10 < one.bleu < 90 and 10 < one.ter < 70
    assert score([hypothesis], [reference], "de").bleu == 0 and score([hypothesis], [reference], "de").ter == 100


def test_signatures_tell_what_ter_compares() -> None:
    lines = ["กขคง จฉ"]
    assert "tok:char" in score(lines, lines, "th").signature["ter"]
    assert (
        "tok:tercom" in score(lines, lines, "zh").signature["ter"]
        and "asian:yes" in score(lines, lines, "zh").signature["ter"]
    )
    assert "asian:no" in score(lines, lines, "pt-BR").signature["ter"]
    assert score(["กขคงจฉ"], lines, "th").ter == 0  # where spaces part phrases is no edit of a word


def test_the_quick_scores_are_the_same_scores() -> None:
    found = score(WORSE, LINES, "de")
    assert bleu_and_chrf(WORSE, LINES, "de") == (found.bleu, found.chrf)


@pytest.mark.parametrize(
    ("hypotheses", "references", "message"),
    [
        (LINES, LINES[:2], "hypotheses as references, got 3 and 2"),
        (LINES[:1], LINES, "hypotheses as references, got 1 and 3"),
        ([], [], "at least one hypothesis"),
        (LINES, [LINES], "expected a list of lines"),
        (LINES, [[line] for line in LINES], "expected a list of lines"),
        ("abc", "abc", "expected a list of lines"),
    ],
)
def test_what_cannot_be_scored_is_refused(hypotheses: list[str], references: list[str], message: str) -> None:
    for function in (score, bleu_and_chrf):
        with pytest.raises(DataError, match=message):
            unchecked = getattr(function, "__wrapped__", function)  # as a caller without type checks would
            unchecked(hypotheses, references, "de")


def test_empty_translations_score_nothing() -> None:
    found = score(["", "", ""], LINES, "de")
    assert (found.bleu, found.chrf, found.exact) == (0, 0, 0)
    assert math.isclose(found.ter, 100)


def test_decomposed_letters_are_the_same_text() -> None:
    composed, decomposed = ["ein caf\u00e9 am see hier"], ["ein cafe\u0301 am see hier"]
    assert score(composed, decomposed, "de") == score(composed, composed, "de")
    assert score(composed, decomposed, "de").exact == 100
    assert bleu_and_chrf(composed, decomposed, "de") == bleu_and_chrf(composed, composed, "de")
