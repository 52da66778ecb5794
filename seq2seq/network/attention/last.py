"""The last position for every query: one fixed vector, what a rightward encoder knew at its end (Cho et al. 2014)."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from seq2seq.network.attention.base import MemoryAttention


class LastPosition(MemoryAttention):
    """The memory's last real position, whatever the query."""

    def weights(
        self,
        query: Float[Tensor, "batch target query"],
        projected: Float[Tensor, "batch source projected"],
        mask: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch target source"]:
        weights = F.one_hot((mask.sum(1) - 1).clamp(min=0), mask.shape[1]).to(projected.dtype)
        return weights.unsqueeze(1).expand(-1, query.shape[1], -1)
