"""What surrounds a block of a deep network: normalisation before it, dropout and a residual sum after it, or not."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.layers import VariationalDropout


class Sublayer(nn.Module, ABC):
    """`leave(x, block(enter(x)))`; `add` is the residual sum that attention and feed-forward blocks always use."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = VariationalDropout(dropout)

    @abstractmethod
    def pre_norm(self, x: Tensor) -> Tensor:
        """What the block sees."""

    @abstractmethod
    def post_norm(self, x: Tensor, y: Tensor) -> Tensor:
        """The output of a block that turned `pre_norm(x)` into `y`."""

    @abstractmethod
    def final_norm(self) -> nn.Module:
        """The end of a stack of such blocks."""

    def at(self, layer: int) -> "Sublayer":
        """The same around the recurrence of this layer of a stack, the lowest being 1."""
        return self

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """The block as a correction of its input."""
        return x + self.dropout(y)


class PreNorm(Sublayer):
    """x + dropout(block(norm(x))): deep stacks train from the first update (Chen et al. 2018; Xiong et al. 2020)."""

    def __init__(self, size: int, dropout: float) -> None:
        super().__init__(size, dropout)
        self.norm = nn.LayerNorm(size)

    def final_norm(self) -> nn.Module:
        """The sum of all blocks is normalised once more."""
        return nn.LayerNorm(self.norm.normalized_shape)

    def pre_norm(self, x: Tensor) -> Tensor:
        return self.norm(x)

    def post_norm(self, x: Tensor, y: Tensor) -> Tensor:
        return self.add(x, y)


class Plain(Sublayer):
    """dropout(block(x)): recurrent layers follow each other directly, as in the first papers."""

    def final_norm(self) -> nn.Module:
        return nn.Identity()

    def pre_norm(self, x: Tensor) -> Tensor:
        return x

    def post_norm(self, x: Tensor, y: Tensor) -> Tensor:
        return self.dropout(y)


class Residual(Sublayer):
    """x + dropout(block(x)), no normalisation: the plain residual sum (He et al. 2016; Wu et al. 2016, equation 6).

    `first`: the lowest layer with a sum around its recurrence; those below are dropout(block(x)). With 1 the embedding
    of the word before goes straight to the output layer, and where that shares the table, every word begins as the
    likeliest one to follow itself.
    """

    def __init__(self, size: int, dropout: float, first: int) -> None:
        super().__init__(size, dropout)
        if first < 1:
            raise ConfigError(f"sublayer.first: expected a positive int, got {first}")
        self.first = first
        self.sums = True

    def at(self, layer: int) -> "Sublayer":
        self.sums = layer >= self.first
        return self

    def final_norm(self) -> nn.Module:
        return nn.Identity()

    def pre_norm(self, x: Tensor) -> Tensor:
        return x

    def post_norm(self, x: Tensor, y: Tensor) -> Tensor:
        return self.add(x, y) if self.sums else self.dropout(y)


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
