"""What every attention is: keys computed once per sentence, then one context per query."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.state import State


class Attention(nn.Module, ABC):
    """Contexts of `context_size` numbers, drawn from a memory for queries of `query_size`. Stateless."""

    def __init__(self, query_size: int, memory_size: int, context_size: int) -> None:
        super().__init__()
        self.query_size = query_size
        self.memory_size = memory_size
        self.context_size = context_size

    @abstractmethod
    def keys(self, memory: Float[Tensor, "batch source memory"]) -> State:
        """Everything that depends on the memory alone, so that it is computed once per sentence."""

    @abstractmethod
    def forward(
        self, query: Float[Tensor, "batch target query"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch target context"], Float[Tensor, "batch target source"]]:
        """Contexts and weights (sum 1 over real positions, 0 on padding) of all positions of a target, in order."""

    def start(self, mask: Bool[Tensor, "batch source"]) -> State:
        """What a query knows of earlier ones before the first, `[batch, 1, ...]`: nothing, but for coverage."""
        return ()

    def step(
        self, query: Float[Tensor, "batch beam query"], keys: State, mask: Bool[Tensor, "batch source"], past: State
    ) -> tuple[Float[Tensor, "batch beam context"], Float[Tensor, "batch beam source"], State]:
        """One position of every hypothesis, with what it knows of earlier ones; `forward` equals repeated `step`."""
        return *self(query, keys, mask), past


class MemoryAttention(Attention):
    """Contexts are weighted means of the memory: a member computes the weights.

    Keys: `(projected, memory)`.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size, memory_size)

    def project(self, memory: Float[Tensor, "batch source memory"]) -> Float[Tensor, "batch source projected"]:
        """What the weights are computed from, once per sentence: the memory itself, unless a member projects it."""
        return memory

    @abstractmethod
    def weights(
        self,
        query: Float[Tensor, "batch target query"],
        projected: Float[Tensor, "batch source projected"],
        mask: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch target source"]:
        """Weights of all positions of a target, in order: their sum over real source positions is 1."""

    def keys(self, memory: Float[Tensor, "batch source memory"]) -> State:
        return self.project(memory), memory

    def forward(
        self, query: Float[Tensor, "batch target query"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch target context"], Float[Tensor, "batch target source"]]:
        projected, values = keys
        weights = self.weights(query, projected, mask)
        return weights.to(values.dtype) @ values, weights


def masked_softmax(
    scores: Float[Tensor, "*heads target source"], mask: Bool[Tensor, "..."]
) -> Float[Tensor, "*heads target source"]:
    """Weights over the last axis in fp32. A finite stand-in for minus infinity keeps an all-padding row finite."""
    scores = scores.float().masked_fill(~mask, torch.finfo(torch.float32).min)
    return torch.softmax(scores, dim=-1)
