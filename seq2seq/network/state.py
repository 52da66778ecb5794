"""Recurrent state: a tensor or a nested tuple of tensors, batch first. Nobody asks what is inside."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

State = Tensor | tuple[Any, ...]  # Any: a State again; a recursive alias is beyond the checker of annotations


def map_state(function: Callable[[Tensor], Tensor], state: State) -> State:
    """The same nest with `function` applied to every tensor."""
    if isinstance(state, Tensor):
        return function(state)
    return tuple(map_state(function, part) for part in state)


def select(state: State, rows: Tensor) -> State:
    """Rows of every tensor: `select(state, [2, 0])` keeps the third and the first, in that order."""
    return map_state(lambda tensor: tensor.index_select(0, rows), state)


def tensors(state: State) -> list[Tensor]:
    """Every tensor of the nest, in order."""
    if isinstance(state, Tensor):
        return [state]
    return [tensor for part in state for tensor in tensors(part)]


def merge(keep: Tensor, new: State, old: State) -> State:
    """`new` where `keep` (broadcast over the last axis) is true, else `old`."""
    if isinstance(new, Tensor):
        assert isinstance(old, Tensor)
        return torch.where(keep, new.to(old.dtype), old)
    return tuple(merge(keep, *pair) for pair in zip(new, old, strict=True))
