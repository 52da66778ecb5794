"""Which tokens sampling draws from: the model's distribution, tempered, and cut where that is wanted."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from seq2seq.search.base import top_k

FIRST = 64  # tokens among which a cut looks for those that stay
MORE = 6  # times as many, where these were too few


class Filtered(NamedTuple):
    """Tokens of each row in the order of their ids, and their chances, which sum to 1: 0 of those that are cut away.

    `settled`: no other token would have stayed; in other rows more must be looked at.
    """

    ids: Int[Tensor, "batch looked"]
    probabilities: Float64[Tensor, "batch looked"]
    settled: Bool[Tensor, " batch"]


class Truncation:
    """Temperature and cuts, see Sampling; `cuts` are made one after the other, each of what the last one left."""

    def __init__(self, temperature: float, top_k: int | None, top_p: float, typical_p: float) -> None:
        self.temperature = temperature
        wanted = _Cut(False, top_k, math.inf), _Cut(False, None, top_p), _Cut(True, None, typical_p)
        self.cuts = [cut for cut in wanted if cut.most is not None or cut.mass < 1]

    def drawn(
        self, scores: Float[Tensor, "batch vocabulary"], numbers: Float64[Tensor, " batch"]
    ) -> Int[Tensor, " batch"]:
        """The token of each row in whose part of [0, 1) its number falls; parts lie in the order of ids.

        Sorting a whole vocabulary takes ten times as long as all else, so few tokens are looked at, more where needed.
        """
        tokens, settled = self._drawn(scores, numbers, FIRST)
        count = FIRST
        while len(rows := torch.nonzero(~settled).flatten()):
            count *= MORE
            tokens[rows], settled[rows] = self._drawn(scores[rows], numbers[rows], count)
        return tokens

    def kept(self, scores: Float[Tensor, "batch vocabulary"], count: int) -> Filtered:
        """What stays of the `count` tokens that come first in the order of the first cut, or of a smaller vocabulary.

        A row is settled where the last one that stays comes before the last one looked at: all that stand before it,
        or beside it, were among these. Which of equals stay is decided by their ids.
        """
        ids = torch.arange(scores.shape[-1], device=scores.device).expand(scores.shape)
        settled = torch.ones(len(scores), dtype=torch.bool, device=scores.device)
        if not self.cuts:
            return Filtered(ids, self._tempered(scores).softmax(-1), settled)
        first, *others = self.cuts
        looked = count + (first.most or 0)
        few = 2 * looked <= scores.shape[-1]
        if few and first.most is not None:  # whose chances together are 1 afterwards, whatever the others' are
            ids = top_k(scores, looked)[1].sort().values
            scores = scores.gather(-1, ids)
        likely = self._tempered(scores).log_softmax(-1)
        order = first.order(likely)
        if few and first.most is None:
            ids = top_k(-order, looked)[1].sort().values
            likely, order = likely.gather(-1, ids), order.gather(-1, ids)
        stays = first.stays(order, likely)
        if few:
            settled = order.masked_fill(~stays, -math.inf).amax(-1) < order.amax(-1)
        likely = _alone(likely, stays)
        for cut in others:
            likely = _alone(likely, cut.stays(cut.order(likely), likely))
        return Filtered(ids, likely.exp(), settled)

    def _drawn(self, scores: Tensor, numbers: Tensor, count: int) -> tuple[Tensor, Tensor]:
        ids, chances, settled = self.kept(scores, count)
        ends = chances.cumsum(-1)
        places = numbers * ends[:, -1]  # which rounding leaves a little off 1
        return ids.gather(1, torch.searchsorted(ends, places.unsqueeze(1), right=True)).squeeze(1), settled

    def _tempered(self, scores: Tensor) -> Tensor:
        return scores.double() / self.temperature


class _Cut(NamedTuple):
    """The tokens that come first stay, until they are `most` or have `mass` together.

    First come the likeliest, or those whose information is nearest to its mean (`typical`).
    """

    typical: bool
    most: int | None
    mass: float

    def order(self, likely: Float64[Tensor, "batch tokens"]) -> Float64[Tensor, "batch tokens"]:
        """Where each stands: the smallest number comes first."""
        if not self.typical:
            return -likely
        mean = (likely.exp() * likely).nansum(-1, keepdim=True)  # 0 * -inf of what is impossible counts nothing
        return (likely - mean).abs()

    def stays(
        self, order: Float64[Tensor, "batch tokens"], likely: Float64[Tensor, "batch tokens"]
    ) -> Bool[Tensor, "batch tokens"]:
        """Whether each stays; what is impossible never does."""
        places = order.sort(dim=-1, stable=True).indices
        chances = likely.exp().gather(-1, places)
        first = chances.cumsum(-1) - chances < self.mass
        if self.most is not None:
            first[:, self.most :] = False
        return torch.zeros_like(first).scatter_(-1, places, first) & (likely > -math.inf)


def _alone(likely: Tensor, stays: Tensor) -> Tensor:
    """Those that stay, as likely as if there were no others."""
    return likely.masked_fill(~stays, -math.inf).log_softmax(-1)
