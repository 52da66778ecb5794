"""Additive attention (Bahdanau et al. 2015, section A.1.2)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.attention.base import Attention
from seq2seq.network.attention.softmax import masked_softmax
from seq2seq.network.layers import tanh
from seq2seq.network.state import State


class Additive(Attention):
    """score = v . tanh(W query + U memory). Keys: `(U memory, memory)`.

    Cost: a tensor of batch x target x source x `hidden_size` under teacher forcing, where the others need none.
    """

    def __init__(self, query_size: int, memory_size: int, hidden_size: int) -> None:
        super().__init__(query_size, memory_size, memory_size)
        self.query = nn.Linear(query_size, hidden_size, bias=False)
        self.memory = nn.Linear(memory_size, hidden_size)
        self.score = nn.Linear(hidden_size, 1, bias=False)
        for layer in (self.query, self.memory, self.score):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.memory.bias)

    def keys(self, memory: Float[Tensor, "batch source memory"]) -> State:
        return self.memory(memory), memory

    def forward(
        self, query: Float[Tensor, "batch target query"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch target context"], Float[Tensor, "batch target source"]]:
        projected, values = keys
        assert isinstance(projected, Tensor) and isinstance(values, Tensor)
        hidden = tanh(self.query(query).unsqueeze(2) + projected.unsqueeze(1))  # batch target source hidden
        weights = masked_softmax(self.score(hidden).squeeze(-1), mask.unsqueeze(1))
        return weights.to(values.dtype) @ values, weights
