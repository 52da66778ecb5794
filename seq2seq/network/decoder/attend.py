"""Attention as a block of a decoder layer."""

from collections.abc import Callable

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.attention.base import Attention
from seq2seq.network.state import State
from seq2seq.network.sublayer import Sublayer


class Attend(nn.Module):
    """x + dropout(W context), the context asked for by norm(x)."""

    def __init__(
        self, width: int, attention: Callable[[int, int], Attention], sublayer: Callable[[int], Sublayer]
    ) -> None:
        super().__init__()
        self.sublayer = sublayer(width)
        self.attention = attention(width, width)
        self.output = nn.Linear(self.attention.context_size, width)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(
        self, x: Float[Tensor, "batch target width"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> Float[Tensor, "batch target width"]:
        context, _ = self.attention(self.sublayer.pre_norm(x), keys, mask)
        return self.sublayer.add(x, self.output(context))

    def step(
        self, x: Float[Tensor, "batch beam width"], keys: State, mask: Bool[Tensor, "batch source"], past: State
    ) -> tuple[Float[Tensor, "batch beam width"], State]:
        """One position of every hypothesis, and what the attention knows after it."""
        context, _, past = self.attention.step(self.sublayer.pre_norm(x), keys, mask, past)
        return self.sublayer.add(x, self.output(context)), past
