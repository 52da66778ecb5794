"""What every text of a set shares with every other one, n-gram by n-gram: one product of matrices instead of pairs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


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
    """From the n-grams that stand in a row, and whose they are."""
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
