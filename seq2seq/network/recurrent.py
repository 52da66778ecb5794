"""Recurrent layers: one cell forwards, or two cells from both ends, inside a sublayer."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.cell.base import Cell
from seq2seq.network.state import State
from seq2seq.network.sublayer import Sublayer


class Recurrent(nn.Module):
    """One cell from left to right: what a decoder may use."""

    def __init__(self, size: int, cell: Callable[[int, int], Cell], sublayer: Callable[[int], Sublayer]) -> None:
        super().__init__()
        self.sublayer = sublayer(size)
        self.cell = cell(size, size)

    def forward(self, x: Float[Tensor, "batch time size"], state: State) -> Float[Tensor, "batch time size"]:
        """All positions of right-padded sequences: padding comes last, so it reaches no real position."""
        outputs, _ = self.cell(self.sublayer.enter(x), None, state)
        return self.sublayer.leave(x, outputs)

    def step(
        self, x: Float[Tensor, "batch beam size"], state: State, drawn: State
    ) -> tuple[Float[Tensor, "batch beam size"], State]:
        """One position of every hypothesis; `drawn` is `cell.draw`, once a pass."""
        output, state = self.cell.step(self.sublayer.enter(x), state, drawn)
        return self.sublayer.leave(x, output), state


class Bidirectional(nn.Module):
    """Two cells of half the size, one from each end; their outputs lie side by side (Schuster & Paliwal 1997)."""

    def __init__(self, size: int, cell: Callable[[int, int], Cell], sublayer: Callable[[int], Sublayer]) -> None:
        super().__init__()
        if size % 2:
            raise ConfigError(f"model.width: a bidirectional encoder needs an even width, got {size}")
        self.sublayer = sublayer(size)
        self.rightward = cell(size, size // 2)
        self.leftward = cell(size, size // 2)

    def forward(
        self, x: Float[Tensor, "batch time size"], order: Int[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time size"]:
        """All positions; `order` is `reversed_order` of the mask."""
        entered = self.sublayer.enter(x)
        start = self.rightward.initial_state((len(x),)), self.leftward.initial_state((len(x),))
        rightward, _ = self.rightward(entered, None, start[0])
        leftward, _ = self.leftward(reverse(entered, order), None, start[1])
        return self.sublayer.leave(x, torch.cat([rightward, reverse(leftward, order)], dim=-1))


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
