"""How a beam's places are shared out among banks of hypotheses."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.search.base import IMPOSSIBLE


def allocate(
    scores: Float[Tensor, "batch candidates"],
    needs: Int[Tensor, "batch candidates"],
    share: Int[Tensor, " batch"],
    width: int,
) -> tuple[Int[Tensor, "batch chosen"], Int[Tensor, "batch chosen"]]:
    """The places of the `width` chosen candidates with their needs: by need, those that need equally many by score.

    The best candidate of those that need least is chosen first, then the `share` best of every need, then the best of
    all others. Three candidates that need 0, 1 and 1, the first with the lowest score; width 2 and share 1: the first
    and the better of the others.
    """
    needs = needs.masked_fill(scores == IMPOSSIBLE, torch.iinfo(needs.dtype).max)
    by_score = scores.sort(dim=1, descending=True, stable=True).indices
    by_need = needs.gather(1, by_score).sort(dim=1, stable=True).indices
    order = by_score.gather(1, by_need)
    sorted_needs = needs.gather(1, order)
    numbers = torch.arange(order.shape[1], device=order.device).expand_as(order)
    opens = torch.cat([torch.ones_like(order[:, :1]).bool(), sorted_needs[:, 1:] != sorted_needs[:, :-1]], 1)
    ranks = numbers - torch.where(opens, numbers, 0).cummax(1).values  # within their bank
    turns = torch.where(ranks < share.unsqueeze(1), 1, 2)
    turns[:, 0] = 0
    turns = turns.masked_fill(sorted_needs == torch.iinfo(needs.dtype).max, 3)
    turns = torch.empty_like(turns).scatter_(1, by_need, turns)  # again by score
    chosen = turns.sort(dim=1, stable=True).indices[:, :width].sort(1).values
    places = by_score.gather(1, chosen)
    needed = needs.gather(1, places)
    ranked = needed.sort(dim=1, stable=True).indices
    return places.gather(1, ranked), needed.gather(1, ranked)


def at_least(scores: Float[Tensor, "batch candidates"], count: Int[Tensor, " batch"]) -> Float[Tensor, "batch 1"]:
    """The score that the `count` best reach; the lowest where there are fewer."""
    ordered = scores.sort(1, descending=True).values
    return ordered.gather(1, (count.clamp(max=scores.shape[1]) - 1).unsqueeze(1))
