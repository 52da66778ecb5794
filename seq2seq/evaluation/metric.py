"""BLEU, chrF and TER of whole files by sacreBLEU (Post 2018), with signatures. Only this module imports sacreBLEU."""

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from seq2seq.errors import DataError
from seq2seq.languages import writing

FALLBACK = "char"  # where MeCab is not installed
EXTRAS = {"ja-mecab": "ja", "ko-mecab": "ko"}  # of sacreBLEU, which install it


class Scores(NamedTuple):
    """Scores of a set of hypotheses: BLEU, chrF2 and TER in percent (TER: lower is better) and how they were computed.

    `exact` is the percentage of hypotheses that equal their reference; `signature` has sacreBLEU's string a metric.
    """

    bleu: float
    chrf: float
    ter: float
    exact: float
    signature: dict[str, str]


def score(hypotheses: Sequence[str], references: Sequence[str], target: str, cased: bool = True) -> Scores:
    """The scores of raw lines in the language `target` against one reference a line; `cased`: whether case counts.

    Settings are sacreBLEU's own, but for what the language counts as words; Japanese and Korean need
    MeCab (`pip install sacrebleu[ja]` or `[ko]`). Both sides are compared in NFC: decomposed letters are the same text.
    Raises DataError unless there are as many references as hypotheses, and at least one.
    """
    _check(hypotheses, references)
    hypotheses, references = _composed(hypotheses), _composed(references)
    if not cased:
        hypotheses, references = ([line.lower() for line in lines] for lines in (hypotheses, references))
    metrics = {
        "bleu": BLEU(tokenize=bleu_tokenizer(target), lowercase=not cased),
        "chrf": CHRF(lowercase=not cased),
        "ter": _ter(target),  # which never looks at case
    }
    # sacreBLEU expects a list of references; a list of lines would be scored wrongly without an error
    values = {name: metric.corpus_score(hypotheses, [references]).score for name, metric in metrics.items()}
    signature = {name: str(metric.get_signature()) for name, metric in metrics.items()}
    exact = sum(one == other for one, other in zip(hypotheses, references, strict=True))
    return Scores(values["bleu"], values["chrf"], values["ter"], 100 * exact / len(references), signature)


def bleu_and_chrf(hypotheses: Sequence[str], references: Sequence[str], target: str) -> tuple[float, float]:
    """The two quick ones of `score`, for validation during training."""
    _check(hypotheses, references)
    hypotheses, references = _composed(hypotheses), _composed(references)
    bleu = BLEU(tokenize=bleu_tokenizer(target), force=True)  # a young model's odd periods need no warning
    return bleu.corpus_score(hypotheses, [references]).score, CHRF().corpus_score(hypotheses, [references]).score


def sentence_bleu(hypotheses: Sequence[str], reference: str, target: str) -> list[float]:
    """BLEU of each hypothesis by itself, in percent, as sacreBLEU's sentence_bleu has it (exponential smoothing)."""
    metric = BLEU(tokenize=bleu_tokenizer(target), effective_order=True)
    return [metric.sentence_score(hypothesis, [reference]).score for hypothesis in hypotheses]


def bleu_words(lines: Sequence[str], target: str) -> list[list[str]]:
    """The words of each line that BLEU compares."""
    metric = BLEU(tokenize=bleu_tokenizer(target))
    return [metric.tokenizer(line.rstrip()).split() for line in lines]


def bleu_tokenizer(target: str) -> str:
    """sacreBLEU's tokenizer for a target language; characters where the one it needs is not installed."""
    tokenizer = writing(target).bleu
    try:
        BLEU(tokenize=tokenizer)
    except RuntimeError:  # the extra that holds MeCab is missing
        return FALLBACK
    return tokenizer


def missing_tokenizers(targets: Sequence[str]) -> list[str]:
    """A message for each target language whose words BLEU cannot find here, so that it compares characters."""
    return [
        f"BLEU of {target}: MeCab is not installed, so it compares characters, not words (tok:{FALLBACK} in the "
        f"signature): pip install 'sacrebleu[{EXTRAS[tokenizer]}]'"
        for target in dict.fromkeys(targets)
        if (tokenizer := writing(target).bleu) != bleu_tokenizer(target)
    ]


class CharacterTER(TER):
    """TER of characters, for languages that put no spaces between words; `tok:char` in its signature."""

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer_signature = "char"

    def _preprocess_segment(self, sent: str) -> str:
        return " ".join(super()._preprocess_segment(sent).replace(" ", ""))


def _ter(target: str) -> TER:
    words = writing(target).ter
    return CharacterTER() if words == "characters" else TER(normalized=words == "asian", asian_support=words == "asian")


def _composed(lines: Sequence[str]) -> list[str]:
    return [unicodedata.normalize("NFC", line) for line in lines]


def _check(hypotheses: Sequence[object], references: Sequence[object]) -> None:
    for name, lines in (("hypotheses", hypotheses), ("references", references)):
        if isinstance(lines, str) or not all(isinstance(line, str) for line in lines):
            raise DataError(f"{name}: expected a list of lines, one reference a hypothesis, got {type(lines).__name__}")
    if len(hypotheses) != len(references):
        raise DataError(
            f"expected as many hypotheses as references, got {len(hypotheses):,} and {len(references):,}: "
            "line N of one is scored against line N of the other"
        )
    if not hypotheses:
        raise DataError("expected at least one hypothesis and its reference, got none")
