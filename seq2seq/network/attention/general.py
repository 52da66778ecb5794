"""Bilinear attention (Luong et al. 2015, equation 8, `general`)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.attention.base import Attention
from seq2seq.network.attention.softmax import masked_softmax
from seq2seq.network.state import State


class General(Attention):
    """score = query . (W memory). Keys: `(W memory, memory)`."""

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size, memory_size)
        self.weight = nn.Linear(memory_size, query_size, bias=False)
        # scores of deviation 1 from normalised input: a softmax that starts sharp learns slowly
        nn.init.xavier_uniform_(self.weight.weight, gain=query_size**-0.5)

    def keys(self, memory: Float[Tensor, "batch source memory"]) -> State:
        return self.weight(memory), memory

    def forward(
        self, query: Float[Tensor, "batch target query"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch target context"], Float[Tensor, "batch target source"]]:
        projected, values = keys
        assert isinstance(projected, Tensor) and isinstance(values, Tensor)
        weights = masked_softmax(query.to(projected.dtype) @ projected.transpose(1, 2), mask.unsqueeze(1))
        return weights.to(values.dtype) @ values, weights
