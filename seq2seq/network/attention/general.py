"""Bilinear attention (Luong et al. 2015, equation 8, `general`)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.attention.base import MemoryAttention, masked_softmax


class General(MemoryAttention):
    """score = query . (W memory). Keys: `(W memory, memory)`."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.weight = nn.Linear(memory_size, query_size, bias=False)
        # scores of deviation 1 from normalised input: a softmax that starts sharp learns slowly
        nn.init.xavier_uniform_(self.weight.weight, gain=query_size**-0.5)

    def project(self, memory: Float[Tensor, "batch source memory"]) -> Float[Tensor, "batch source projected"]:
        return self.weight(memory)

    def weights(
        self,
        query: Float[Tensor, "batch target query"],
        projected: Float[Tensor, "batch source projected"],
        mask: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch target source"]:
        return masked_softmax(query.to(projected.dtype) @ projected.transpose(1, 2), mask.unsqueeze(1))
