"""Multi-head attention (Vaswani et al. 2017, section 3.2.2; on recurrent decoders Chen et al. 2018, Domhan 2018)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.attention.base import Attention, masked_softmax
from seq2seq.network.state import State


class Multihead(Attention):
    """`heads` scaled dot products side by side; the weights are their mean. Keys: `(keys, values)` split by head."""

    def __init__(self, query_size: int, memory_size: int, heads: int) -> None:
        super().__init__(query_size, memory_size, query_size)
        if heads < 1 or query_size % heads:
            raise ConfigError(f"attention.heads: expected a divisor of the query size {query_size}, got {heads}")
        self.heads = heads
        self.query = nn.Linear(query_size, query_size)
        self.key = nn.Linear(memory_size, query_size)
        self.value = nn.Linear(memory_size, query_size)
        for layer in (self.query, self.key, self.value):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def keys(self, memory: Float[Tensor, "batch source memory"]) -> State:
        return self._split(self.key(memory)), self._split(self.value(memory))

    def forward(
        self, query: Float[Tensor, "batch target query"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch target context"], Float[Tensor, "batch target source"]]:
        key, value = keys
        assert isinstance(key, Tensor) and isinstance(value, Tensor)
        split = self._split(self.query(query) * (self.query_size // self.heads) ** -0.5)
        weights = masked_softmax(
            split.to(key.dtype) @ key.transpose(2, 3), mask[:, None, None]
        )  # batch heads target source
        context = (weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)
        return context, weights.mean(1)

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:-1], self.heads, -1).transpose(1, 2)  # batch heads length head
