"""One attention whose context several layers read."""

from collections.abc import Callable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.attention.base import Attention
from seq2seq.network.state import State
from seq2seq.network.sublayer import Sublayer


class Shared(nn.Module):
    """dropout(context), the context asked for by norm(x) (GNMT: Wu et al. 2016, section 3)."""

    def __init__(
        self, width: int, attention: Callable[[int, int], Attention], sublayer: Callable[[int], Sublayer]
    ) -> None:
        super().__init__()
        self.sublayer = sublayer(width)
        self.attention = attention(width, width)

    def forward(
        self, x: Float[Tensor, "batch target width"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> Float[Tensor, "batch target context"]:
        context, _ = self.attention(self.sublayer.pre_norm(x), keys, mask)
        return self.sublayer.dropout(context)

    def step(
        self, x: Float[Tensor, "batch beam width"], keys: State, mask: Bool[Tensor, "batch source"], past: State
    ) -> tuple[Float[Tensor, "batch beam context"], State]:
        """One position of every hypothesis, and what the attention knows after it."""
        context, _, past = self.attention.step(self.sublayer.pre_norm(x), keys, mask, past)
        return self.sublayer.dropout(context), past
