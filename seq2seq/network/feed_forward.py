"""The position-wise block between recurrences (Vaswani et al. 2017, section 3.3)."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.network.sublayer import Sublayer


class FeedForward(nn.Module):
    """x + dropout(W_2 relu(W_1 norm(x))), each position by itself."""

    def __init__(self, size: int, hidden_size: int, sublayer: Callable[[int], Sublayer]) -> None:
        super().__init__()
        self.sublayer = sublayer(size)
        self.inner = nn.Linear(size, hidden_size)
        self.outer = nn.Linear(hidden_size, size)
        for layer in (self.inner, self.outer):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Float[Tensor, "batch time size"]) -> Float[Tensor, "batch time size"]:
        return self.sublayer.add(x, self.outer(self.inner(self.sublayer.pre_norm(x)).relu()))
