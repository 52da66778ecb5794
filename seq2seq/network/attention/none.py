"""No attention: every position sees the same vector (Cho et al. 2014, Sutskever et al. 2014)."""

from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.network.attention.base import MemoryAttention


class Uniform(MemoryAttention):
    """The mean of the real memory positions, whatever the query: one fixed vector per sentence."""

    def weights(
        self,
        query: Float[Tensor, "batch target query"],
        projected: Float[Tensor, "batch source projected"],
        mask: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch target source"]:
        weights = mask / mask.sum(1, keepdim=True).clamp(min=1)
        return weights.unsqueeze(1).expand(-1, query.shape[1], -1)
