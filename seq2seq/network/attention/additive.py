"""Additive attention (Bahdanau et al. 2015, section A.1.2)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.attention.base import MemoryAttention, masked_softmax
from seq2seq.network.layers import tanh


class Additive(MemoryAttention):
    """score = v . tanh(W query + U memory). Keys: `(U memory, memory)`.

    Cost: a tensor of batch x target x source x `hidden_size` under teacher forcing, where the others need none.
    """

    def __init__(self, query_size: int, memory_size: int, hidden_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.query = nn.Linear(query_size, hidden_size, bias=False)
        self.memory = nn.Linear(memory_size, hidden_size)
        self.score = nn.Linear(hidden_size, 1, bias=False)
        for layer in (self.query, self.memory, self.score):
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
        hidden = tanh(self.query(query).unsqueeze(2) + projected.unsqueeze(1))  # batch target source hidden
        return masked_softmax(self.score(hidden).squeeze(-1), mask.unsqueeze(1))
