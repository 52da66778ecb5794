"""Dot-product attention (Luong et al. 2015, equation 8, `dot`)."""

from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.network.attention.base import MemoryAttention, masked_softmax


class Dot(MemoryAttention):
    """score = query . memory, unscaled: scaling it down slows learning (see the multi30k recipe). Needs equal sizes."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        if query_size != memory_size:
            raise ConfigError(
                f"attention dot: expected query and memory of one size, got {query_size} and {memory_size}: "
                "use attention=general or equal model.width and encoder width"
            )
        super().__init__(query_size, memory_size)

    def weights(
        self,
        query: Float[Tensor, "batch target query"],
        projected: Float[Tensor, "batch source projected"],
        mask: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch target source"]:
        return masked_softmax(query @ projected.transpose(1, 2).to(query.dtype), mask.unsqueeze(1))
