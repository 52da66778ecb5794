"""Additive attention that knows where it has looked (Tu et al. 2016; See et al. 2017, equations 10 and 11)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.attention.base import MemoryAttention, masked_softmax
from seq2seq.network.layers import tanh
from seq2seq.network.state import State


class Coverage(MemoryAttention):
    """score = v . tanh(W query + U memory + w c), c the sum of the weights that a position had so far.

    Keys: `(U memory, memory)`. Past: c, `[batch, beam, source]`. A position's weights need those of all positions
    before it, so `forward` is a loop over the target: the slowest attention in training.
    """

    def __init__(self, query_size: int, memory_size: int, hidden_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.query = nn.Linear(query_size, hidden_size, bias=False)
        self.memory = nn.Linear(memory_size, hidden_size)
        self.coverage = nn.Linear(1, hidden_size, bias=False)
        self.score = nn.Linear(hidden_size, 1, bias=False)
        for layer in (self.query, self.memory, self.coverage, self.score):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.memory.bias)

    def project(self, memory: Float[Tensor, "batch source memory"]) -> Float[Tensor, "batch source projected"]:
        return self.memory(memory)

    def weights(
        self,
        query: Float[Tensor, "batch target query"],
        projected: Float[Tensor, "batch source projected"],
        mask: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch target source"]:
        past = self.start(mask)
        every = []
        for one in torch.split(self.query(query), 1, dim=1):
            weights = self._weights(one, projected, mask, past)
            past = past + weights
            every.append(weights)
        return torch.cat(every, dim=1)

    def start(self, mask: Bool[Tensor, "batch source"]) -> Tensor:
        return torch.zeros(len(mask), 1, mask.shape[1], device=mask.device)

    def step(
        self, query: Float[Tensor, "batch beam query"], keys: State, mask: Bool[Tensor, "batch source"], past: State
    ) -> tuple[Float[Tensor, "batch beam context"], Float[Tensor, "batch beam source"], State]:
        projected, values = keys
        assert isinstance(projected, Tensor) and isinstance(values, Tensor) and isinstance(past, Tensor)
        weights = self._weights(self.query(query), projected, mask, past)
        return weights.to(values.dtype) @ values, weights, past + weights

    def _weights(self, projected_query: Tensor, projected: Tensor, mask: Tensor, past: Tensor) -> Tensor:
        """One position, of a sentence or of its hypotheses: `[batch, beam, source]`."""
        hidden = tanh(projected_query.unsqueeze(2) + projected.unsqueeze(1) + self.coverage(past.unsqueeze(-1)))
        return masked_softmax(self.score(hidden).squeeze(-1), mask.unsqueeze(1))
