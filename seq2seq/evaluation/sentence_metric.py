"""Scores of single sentences, quick enough to be the cost of thousands of hypotheses an update.

`pairwise` has every text as hypothesis and as reference: n-grams are counted once a text, and compared by products of
matrices (overlap.py).
"""

from collections import Counter
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.evaluation.metric import bleu_words, sentence_bleu
from seq2seq.evaluation.overlap import overlaps

ORDER, BETA = 6, 2  # of chrF2, as sacreBLEU has them: n-grams of 1 to 6 characters, recall counts twice
WORDS = 4  # BLEU's longest n-grams

Counts = list[dict[str, int]]


class ChrF:
    """chrF2 (Popović 2015) of each hypothesis, 0 to 100: sacreBLEU's sentence_chrf, to rounding, but faster."""

    def __call__(self, hypotheses: Sequence[str], reference: str, language: str) -> list[float]:
        """The scores against one reference; `language` does not matter."""
        wanted = _counts(reference)
        return [_chrf(_counts(hypothesis), wanted) for hypothesis in hypotheses]

    def pairwise(self, texts: Sequence[str], language: str) -> Float[Tensor, "texts texts"]:
        """Row i, column j: chrF2 of text i against text j."""
        size = len(texts)
        precision, recall, orders = torch.zeros(3, size, size, dtype=torch.float64)
        for totals, matches in overlaps([[*map(ord, "".join(text.split()))] for text in texts], ORDER):
            precision += matches / totals.clamp(min=1).unsqueeze(1)
            recall += matches / totals.clamp(min=1)
            orders += (totals.unsqueeze(1) > 0) & (totals > 0)
        factor = BETA**2
        score = 100 * (1 + factor) * precision * recall / orders.clamp(min=1) / (factor * precision + recall)
        return score.masked_fill(precision + recall == 0, 0)


class BLEU:
    """BLEU of each hypothesis, 0 to 100: sacreBLEU's sentence_bleu, which drops orders that a short one cannot have."""

    def __call__(self, hypotheses: Sequence[str], reference: str, language: str) -> list[float]:
        """The scores against one reference; `language` says how its words are found."""
        return sentence_bleu(hypotheses, reference, language)

    def pairwise(self, texts: Sequence[str], language: str) -> Float[Tensor, "texts texts"]:
        """Row i, column j: BLEU of text i against text j."""
        numbers: dict[str, int] = {}
        lines = [[numbers.setdefault(word, len(numbers)) for word in line] for line in bleu_words(texts, language)]
        lengths = torch.tensor([len(line) for line in lines], dtype=torch.float64)
        logarithms, result = torch.zeros(2, len(lines), len(lines), dtype=torch.float64)
        smoothing = torch.ones_like(result)
        for totals, matches in overlaps(lines, WORDS):
            smoothing = torch.where(matches == 0, 2 * smoothing, smoothing)  # 1/2, 1/4, ... of a match where none is
            precision = torch.where(matches == 0, 1 / smoothing, matches) / totals.clamp(min=1).unsqueeze(1)
            logarithms += torch.where(totals.unsqueeze(1) > 0, precision.log(), 0)
            result += matches
        orders = lengths.clamp(1, WORDS).unsqueeze(1)
        brevity = (1 - lengths / lengths.clamp(min=1).unsqueeze(1)).clamp(max=0)
        return (100 * (brevity + logarithms / orders).exp()).masked_fill(result == 0, 0)


def _counts(line: str) -> Counts:
    """How often each n-gram occurs, for every n; spaces do not count."""
    text = "".join(line.split())
    return [Counter([text[at : at + size] for at in range(len(text) - size + 1)]) for size in range(1, ORDER + 1)]


def _chrf(found: Counts, wanted: Counts) -> float:
    """The F-score of mean precision and mean recall, over the orders that both have."""
    precision = recall = 0.0
    orders = 0
    for ours, theirs in zip(found, wanted, strict=True):
        if not ours or not theirs:
            continue
        matches = sum(min(count, theirs[gram]) for gram, count in ours.items() if gram in theirs)
        precision += matches / sum(ours.values())
        recall += matches / sum(theirs.values())
        orders += 1
    if not precision + recall:
        return 0.0
    factor = BETA**2
    return 100 * (1 + factor) * precision * recall / orders / (factor * precision + recall)
