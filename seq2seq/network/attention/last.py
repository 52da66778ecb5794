"""The last position for every query: one fixed vector, what a rightward encoder knew at its end (Cho et al. 2014)."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from seq2seq.network.attention.base import Attention
from seq2seq.network.state import State


class LastPosition(Attention):
    """The memory's last real position, whatever the query."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size, memory_size)

    def keys(self, memory: Float[Tensor, "batch source memory"]) -> State:
        return memory

    def forward(
        self, query: Float[Tensor, "batch target query"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch target context"], Float[Tensor, "batch target source"]]:
        assert isinstance(keys, Tensor)
        weights = F.one_hot((mask.sum(1) - 1).clamp(min=0), mask.shape[1]).to(keys.dtype)
        expanded = weights.unsqueeze(1).expand(-1, query.shape[1], -1)
        return expanded @ keys, expanded
