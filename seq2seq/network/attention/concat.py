"""Attention by a small network over query and memory side by side (Luong et al. 2015, equation 8, `concat`)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.attention.base import MemoryAttention, masked_softmax
from seq2seq.network.layers import tanh


class Concat(MemoryAttention):
    """score = v . tanh(W [query; memory]), W as high as the query is long. Keys: `(W's share of the memory, memory)`.

    The left and the right columns of W multiply apart, so that nothing is ever put side by side; what is left of
    additive attention (Bahdanau et al. 2015) is its bias and its free size. Cost: a tensor of batch x target x source x
    query size under teacher forcing.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__(query_size, memory_size)
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(query_size, query_size + memory_size)))
        self.score = nn.Linear(query_size, 1, bias=False)
        nn.init.xavier_uniform_(self.score.weight)

    def project(self, memory: Float[Tensor, "batch source memory"]) -> Float[Tensor, "batch source projected"]:
        return nn.functional.linear(memory, self.weight[:, self.query_size :])

    def weights(
        self,
        query: Float[Tensor, "batch target query"],
        projected: Float[Tensor, "batch source projected"],
        mask: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch target source"]:
        projected_query = nn.functional.linear(query, self.weight[:, : self.query_size])
        hidden = tanh(projected_query.unsqueeze(2) + projected.unsqueeze(1))  # batch target source hidden
        return masked_softmax(self.score(hidden).squeeze(-1), mask.unsqueeze(1))
