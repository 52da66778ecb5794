"""Scores of single sentences, quick enough to be the cost of thousands of hypotheses an update.

`pairwise` has every text as hypothesis and as reference: n-grams are counted once a text, and compared by products of
matrices.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.evaluation.metric import bleu_words, sentence_bleu

ORDER, BETA = 6, 2  # of chrF2, as sacreBLEU has them: n-grams of 1 to 6 characters, recall counts twice
WORDS = 4  # BLEU's longest n-grams

Counts = list[dict[str, int]]


class ChrF:
    """chrF2 (Popović 2015) of each hypothesis, 0 to 100: sacreBLEU's sentence_chrf, to rounding, but faster."""

    def __call__(self, hypotheses: Sequence[str], reference: str, language: str) -> list[float]:
        """The scores against one reference; `language` does not matter."""
        expected = _counts(reference)
        return [_chrf(_counts(hypothesis), expected) for hypothesis in hypotheses]

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
        """Scores against one reference; `language` determines the words."""
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


def _chrf(hypothesis: Counts, reference: Counts) -> float:
    """The F-score of mean precision and mean recall, over the orders that both have."""
    precision = recall = 0.0
    orders = 0
    for ours, theirs in zip(hypothesis, reference, strict=True):
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


class Overlap(NamedTuple):
    """Of n-grams of one size: how many each text has, and how many of text i's are in text j too (row i, column j).

    One that comes twice in both counts twice: sum over n-grams of min(count in i, count in j).
    """

    totals: Float[Tensor, " texts"]
    matches: Float[Tensor, "texts texts"]


def overlaps(texts: Sequence[Sequence[int]], orders: int) -> Iterator[Overlap]:
    """The overlap for n-grams of 1, 2, ... `orders` ids."""
    lengths = torch.tensor([len(text) for text in texts])
    ids = torch.tensor([one for text in texts for one in text], dtype=torch.long)
    owners = torch.arange(len(texts)).repeat_interleave(lengths)
    left = (lengths.repeat_interleave(lengths)) - torch.arange(len(ids)) + (lengths.cumsum(0) - lengths)[owners]
    size = int(ids.max()) + 1 if len(ids) else 1
    grams = torch.zeros(len(ids), dtype=torch.long)
    for order in range(1, orders + 1):
        following = ids[order - 1 :]
        longer = grams[: len(following)] * size + following
        _, grams = torch.unique(longer, return_inverse=True)  # small numbers again, before the next id comes
        whole = left[: len(grams)] >= order
        yield _overlap(grams[whole], owners[: len(grams)][whole], len(texts))


def _overlap(grams: Int[Tensor, " places"], owners: Int[Tensor, " places"], texts: int) -> Overlap:
    """The matrix of counts from sorted n-grams and the texts they belong to."""
    kinds = int(grams.max()) + 1 if len(grams) else 1
    counts = (owners * kinds + grams).bincount(minlength=texts * kinds).view(texts, kinds)
    matches = torch.zeros(texts, texts)
    level = 1
    while counts.shape[1]:
        reached = (counts >= level).float()  # min(a, b) = [a >= 1][b >= 1] + [a >= 2][b >= 2] + ...
        matches += reached @ reached.T
        level += 1
        counts = counts[:, counts.amax(0) >= level]
    return Overlap(owners.bincount(minlength=texts).double(), matches.double())
