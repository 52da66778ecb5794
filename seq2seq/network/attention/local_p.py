"""Local attention around a predicted position (Luong et al. 2015, section 3.2, `local-p`)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.attention.base import MemoryAttention, masked_softmax


class LocalPredictive(MemoryAttention):
    """General attention within `window` positions of where the query expects its word.

        p = S sigmoid(v . tanh(W_p query))                              equation 9; S: the source's real length
        score(s) = query . (W memory_s) - (s - p)^2 / (2 sigma^2)       for |s - p| <= window, sigma = window / 2

    Equation 10 multiplies the Gaussian into weights that already sum to 1, which leaves less than 1 of them; here it is
    part of the score, inside the softmax, so that weights stay a distribution. Keys: `(W memory, memory)`.
    """

    def __init__(self, query_size: int, memory_size: int, window: int) -> None:
        if window < 1:
            raise ConfigError(f"attention.window: expected a positive number of positions, got {window}")
        super().__init__(query_size, memory_size)
        self.window = window
        self.weight = nn.Linear(memory_size, query_size, bias=False)
        self.hidden = nn.Linear(query_size, query_size, bias=False)
        self.position = nn.Linear(query_size, 1, bias=False)
        nn.init.xavier_uniform_(self.weight.weight, gain=query_size**-0.5)  # as in general attention: a soft start
        nn.init.xavier_uniform_(self.hidden.weight)
        nn.init.xavier_uniform_(self.position.weight)

    def project(self, memory: Float[Tensor, "batch source memory"]) -> Float[Tensor, "batch source projected"]:
        return self.weight(memory)

    def weights(
        self,
        query: Float[Tensor, "batch target query"],
        projected: Float[Tensor, "batch source projected"],
        mask: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch target source"]:
        distance = torch.arange(mask.shape[1], device=mask.device) - self._expected(query, mask)  # batch target source
        scores = (query.to(projected.dtype) @ projected.transpose(1, 2)).float()
        scores = scores - 2 * (distance / self.window).square()
        return masked_softmax(scores, mask.unsqueeze(1) & (distance.abs() <= self.window))

    def _expected(self, query: Tensor, mask: Tensor) -> Tensor:
        """p in fp32: bf16 has no room for a position and its fraction."""
        share = torch.sigmoid(self.position(torch.tanh(self.hidden(query))).float())  # batch target 1
        return mask.sum(1)[:, None, None] * share
