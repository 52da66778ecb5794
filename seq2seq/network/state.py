"""Recurrent state, a tensor or a nested tuple of tensors, batch first; and what searches and objectives ask of a model.

A model reads the sources once (`start`), then one token of every hypothesis at a time (`step`). Their callers do not
know what a state holds; they only select its rows.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

State = Tensor | tuple[Any, ...]  # Any: a State again; a recursive alias is beyond the checker of annotations


@runtime_checkable
class Start(Protocol):
    """Reads the sources: `(memory, state)`, every tensor of `memory` `[batch, ...]`, of `state` `[batch, 1, ...]`."""

    def __call__(
        self, source: Int[Tensor, "batch source"], source_mask: Bool[Tensor, "batch source"], /
    ) -> tuple[State, State]: ...


@runtime_checkable
class Step(Protocol):
    """Reads one token a hypothesis: the score of every next token (fp32), and the state after it.

    A model's scores are its log-probabilities; what is built on top of models may add to them. The caller may change
    them in place. Every tensor of `state` is `[batch, beam, ...]`, of `memory` `[batch, ...]`: the hypotheses of a
    sentence share it.
    """

    def __call__(
        self, tokens: Int[Tensor, "batch beam"], state: State, memory: State, /
    ) -> tuple[Float[Tensor, "batch beam vocabulary"], State]: ...


@runtime_checkable
class AutoregressiveModel(Protocol):
    """A model, or several behind the same two functions, that predicts a target token by token."""

    @property
    def start(self) -> Start: ...

    @property
    def step(self) -> Step: ...


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
