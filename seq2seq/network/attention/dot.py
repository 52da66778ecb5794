"""Dot-product attention (Luong et al. 2015, equation 8, `dot`)."""

from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.network.attention.base import Attention
from seq2seq.network.attention.softmax import masked_softmax
from seq2seq.network.state import State


class Dot(Attention):
    """score = query . memory, unscaled: scaling it down slows learning (see the multi30k recipe). Needs equal sizes."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        if query_size != memory_size:
            raise ConfigError(
                f"attention dot: expected query and memory of one size, got {query_size} and {memory_size}: "
                "use attention=general or equal model.width and encoder width"
            )
        super().__init__(query_size, memory_size, memory_size)

    def keys(self, memory: Float[Tensor, "batch source memory"]) -> State:
        return memory

    def forward(
        self, query: Float[Tensor, "batch target query"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch target context"], Float[Tensor, "batch target source"]]:
        assert isinstance(keys, Tensor)
        weights = masked_softmax(query @ keys.transpose(1, 2).to(query.dtype), mask.unsqueeze(1))
        return weights.to(keys.dtype) @ keys, weights
