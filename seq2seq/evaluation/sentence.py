"""Scores of single sentences, quick enough to be the cost of thousands of hypotheses an update."""

from collections import Counter
from collections.abc import Sequence

from seq2seq.evaluation.metric import sentence_bleu

ORDER, BETA = 6, 2  # of chrF2, as sacreBLEU has them: n-grams of 1 to 6 characters, recall counts twice

Counts = list[dict[str, int]]


class ChrF:
    """chrF2 (Popović 2015) of each hypothesis, 0 to 100: sacreBLEU's sentence_chrf, to rounding, but faster."""

    def __call__(self, hypotheses: Sequence[str], reference: str, language: str) -> list[float]:
        """The scores against one reference; `language` does not matter."""
        wanted = _counts(reference)
        return [_chrf(_counts(hypothesis), wanted) for hypothesis in hypotheses]


class BLEU:
    """BLEU of each hypothesis, 0 to 100: sacreBLEU's sentence_bleu, which drops orders that a short one cannot have."""

    def __call__(self, hypotheses: Sequence[str], reference: str, language: str) -> list[float]:
        """The scores against one reference; `language` says how its words are found."""
        return sentence_bleu(hypotheses, reference, language)


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
