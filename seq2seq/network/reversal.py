"""Sequences of a padded batch turned round, each within its own length."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def reversed_order(mask: Bool[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
    """Positions that turn every sequence round within its own length and leave padding where it is.

    mask   1 1 1 0    1 1 1 1    1 0 0 0
    order  2 1 0 3    3 2 1 0    0 1 2 3
    """
    positions = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - positions, positions)


def reverse(x: Float[Tensor, "batch time size"], order: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time size"]:
    """Every sequence turned round. The order is its own inverse, so the gradient is the same gather."""
    reversed_x: Tensor = _Reverse.apply(x, order)  # type: ignore[no-untyped-call]
    return reversed_x


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return _gather(x, order)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return _gather(gradients[0], order), None


def _gather(x: Tensor, order: Tensor) -> Tensor:
    rows = order + torch.arange(len(x), device=x.device).unsqueeze(1) * x.shape[1]
    return x.flatten(0, 1).index_select(0, rows.flatten()).view_as(x)
