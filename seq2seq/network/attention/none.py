"""No attention: every position sees the same vector (Cho et al. 2014, Sutskever et al. 2014)."""

from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.network.attention.base import Attention
from seq2seq.network.state import State


class Uniform(Attention):
    """The mean of the real memory positions, whatever the query: one fixed vector per sentence."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size, memory_size)

    def keys(self, memory: Float[Tensor, "batch source memory"]) -> State:
        return memory

    def forward(
        self, query: Float[Tensor, "batch target query"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch target context"], Float[Tensor, "batch target source"]]:
        assert isinstance(keys, Tensor)
        weights = mask / mask.sum(1, keepdim=True).clamp(min=1)
        expanded = weights.unsqueeze(1).expand(-1, query.shape[1], -1)
        return expanded.to(keys.dtype) @ keys, expanded
