"""Recurrent layers: one cell from either end, or two cells from both ends, inside a sublayer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.cell.base import Cell
from seq2seq.network.cell.scanned import Scanned
from seq2seq.network.state import State
from seq2seq.network.sublayer import Sublayer


def reversed_order(mask: Bool[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
    """Positions that reverse every sequence within its own length and leave padding in place.

    mask   1 1 1 0    1 1 1 1    1 0 0 0
    order  2 1 0 3    3 2 1 0    0 1 2 3
    """
    positions = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - positions, positions)


def reverse(x: Float[Tensor, "batch time size"], order: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time size"]:
    """Every sequence reversed. The order is its own inverse, so the gradient is the same gather."""
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


class SequenceInfo(NamedTuple):
    """Through a padded batch of sources. `order`: its `reversed_order`; `last`: whether states after the end matter."""

    mask: Bool[Tensor, "batch time"]
    order: Int[Tensor, "batch time"]
    last: bool

    @property
    def all_real(self) -> Bool[Tensor, "batch time"] | None:
        """The positions at which states must not change, which costs time."""
        return self.mask if self.last else None


class Recurrent(nn.Module):
    """One cell from left to right, as decoders need.

    `number`: the layer's place in its stack, from 1. With a `context_size`, the cell reads a context beside the layer's
    input at every position (Wu et al. 2016).
    """

    def __init__(
        self,
        size: int,
        cell: Callable[[int, int], Cell],
        sublayer: Callable[[int], Sublayer],
        number: int,
        context_size: int = 0,
    ) -> None:
        super().__init__()
        self.sublayer = sublayer(size).at(number)
        self.cell = cell(size + context_size, size)

    def forward(
        self,
        x: Float[Tensor, "batch time size"],
        state: State,
        mask: Bool[Tensor, "batch time"] | None = None,
        context: Float[Tensor, "batch time context"] | None = None,
    ) -> tuple[Float[Tensor, "batch time size"], State]:
        """All positions, and the state after them.

        In a right-padded batch no padding reaches a real position. Without a mask it reaches the state; with one, the
        state does not change on padding.
        """
        outputs, state = self.cell(self._enter(x, context), mask, state)
        return self.sublayer.post_norm(x, outputs), state

    def step(
        self,
        x: Float[Tensor, "batch beam size"],
        state: State,
        masks: State,
        context: Float[Tensor, "batch beam context"] | None = None,
    ) -> tuple[Float[Tensor, "batch beam size"], State]:
        """One position of every hypothesis; `masks` are `cell.dropout_masks`, once a pass."""
        return self.advance(x, self.project(x, context), state, masks)

    def project(
        self, x: Float[Tensor, "batch beam size"], context: Float[Tensor, "batch beam context"] | None = None
    ) -> Float[Tensor, "batch beam gates"]:
        """The input's share of the cell's sums, see Cell."""
        return self.cell.project(self._enter(x, context))

    def advance(
        self, x: Float[Tensor, "batch beam size"], projected: Tensor, state: State, masks: State
    ) -> tuple[Float[Tensor, "batch beam size"], State]:
        """`step` from what `project` made of `x`."""
        output, state = self.cell.advance(projected, state, masks)
        return self.sublayer.post_norm(x, output), state

    def _enter(self, x: Tensor, context: Tensor | None) -> Tensor:
        entered = self.sublayer.pre_norm(x)
        return entered if context is None else torch.cat([entered, context], dim=-1)


class Unidirectional(nn.Module):
    """One cell over the whole source, from its first token to its last or, `leftward`, from its last to its first."""

    def __init__(
        self,
        size: int,
        cell: Callable[[int, int], Cell],
        sublayer: Callable[[int], Sublayer],
        number: int,
        leftward: bool,
    ) -> None:
        super().__init__()
        self.leftward = leftward
        self.layer = Recurrent(size, cell, sublayer, number)

    def initial_state(self, batch: int) -> State:
        """Before the first token, `[batch, size]`."""
        return self.layer.cell.initial_state((batch,))

    def project(self, x: Float[Tensor, "batch time size"]) -> State:
        """The part of `forward` that depends on each position alone."""
        return x

    def forward(self, projected: State, way: SequenceInfo) -> tuple[Float[Tensor, "batch time size"], State]:
        """All positions and the state after the last one read."""
        assert isinstance(projected, Tensor)
        x = reverse(projected, way.order) if self.leftward else projected
        x, state = self.layer(x, self.initial_state(len(x)), way.all_real)
        return (reverse(x, way.order) if self.leftward else x), state


class Bidirectional(nn.Module):
    """Two cells of half the size, one from each end; outputs and states lie side by side (Schuster & Paliwal 1997)."""

    def __init__(
        self, size: int, cell: Callable[[int, int], Cell], sublayer: Callable[[int], Sublayer], number: int
    ) -> None:
        super().__init__()
        if size % 2:
            raise ConfigError(f"model.width: a bidirectional encoder needs an even width, got {size}")
        self.sublayer = sublayer(size).at(number)
        self.rightward = cell(size, size // 2)
        self.leftward = cell(size, size // 2)
        self.joined: Scanned | None = None

    def join(self) -> None:
        """One cell for both directions if the recurrence only sums; irreversible, for search only.

        One product instead of two, and no sequence is reversed.
        """
        if isinstance(self.rightward, Scanned) and isinstance(self.leftward, Scanned):
            self.joined = self.rightward.beside(self.leftward)
            del self.rightward, self.leftward

    def initial_state(self, batch: int) -> State:
        """Before the first token, `[batch, size]`: the rightward half, then the leftward one."""
        if self.joined:
            return self.joined.initial_state((batch,))
        return _beside(self.rightward.initial_state((batch,)), self.leftward.initial_state((batch,)))

    def project(self, x: Float[Tensor, "batch time size"]) -> State:
        """The part of `forward` that depends on each position alone."""
        return (x, self.joined.project(self.sublayer.pre_norm(x))) if self.joined else x

    def forward(self, projected: State, way: SequenceInfo) -> tuple[Float[Tensor, "batch time size"], State]:
        """All positions and the states after the last ones read."""
        if self.joined:
            x, sums = projected
            outputs, end = self.joined.both_ways(sums, way.mask, self.initial_state(len(x)))
            return self.sublayer.post_norm(x, outputs), end
        assert isinstance(projected, Tensor)
        entered = self.sublayer.pre_norm(projected)
        start = self.rightward.initial_state((len(entered),)), self.leftward.initial_state((len(entered),))
        rightward, right_end = self.rightward(entered, way.all_real, start[0])
        leftward, left_end = self.leftward(reverse(entered, way.order), way.all_real, start[1])
        outputs = torch.cat([rightward, reverse(leftward, way.order)], dim=-1)
        return self.sublayer.post_norm(projected, outputs), _beside(right_end, left_end)


def _beside(left: State, right: State) -> State:
    """Two states of one kind as one of both sizes."""
    if isinstance(left, Tensor):
        assert isinstance(right, Tensor)
        return torch.cat([left, right], dim=-1)
    return tuple(_beside(*pair) for pair in zip(left, right, strict=True))
