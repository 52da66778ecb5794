"""Small parts that several networks share: tanh, dropout, embeddings"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, empty, nn
from torch.nn import functional as F

from seq2seq.errors import ConfigError

LARGE = 4096  # numbers from which the sigmoid is faster


def tanh(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """tanh(x); without gradients 2 sigmoid(2x) - 1 in fp32, off by at most 2e-7.

    On CPUs torch's tanh takes six times as long as its sigmoid, and was a tenth of a translation's time.
    """
    if torch.is_grad_enabled() or x.is_cuda or x.numel() < LARGE:
        return torch.tanh(x)
    return torch.add(x.new_full((), -1, dtype=torch.float32), (x.float() * 2).sigmoid_(), alpha=2).to(x.dtype)


class VariationalDropout(nn.Module):
    """Drops the same features at every position of a sequence: fewer random numbers, and kinder to a recurrence."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = legal_rate("dropout", rate)

    def forward(self, x: Float[Tensor, "batch time features"]) -> Float[Tensor, "batch time features"]:
        if not self.training or self.rate == 0:
            return x
        return x * mask_like((x.shape[0], 1, x.shape[2]), self.rate, x)


class WordDropout(nn.Module):
    """Drops whole embeddings, unscaled: the words that stay keep their size (Sennrich & Zhang 2019)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = legal_rate("word_dropout", rate)

    def forward(self, x: Float[Tensor, "batch time features"]) -> Float[Tensor, "batch time features"]:
        if not self.training or self.rate == 0:
            return x
        return x * (torch.rand(x.shape[0], x.shape[1], 1, device=x.device) >= self.rate)


def legal_rate(name: str, rate: float) -> float:
    """`rate` if it is a probability below 1, else ConfigError."""
    if not 0 <= rate < 1:
        raise ConfigError(f"{name}: expected a rate from 0 up to but not including 1, got {rate}")
    return rate


def mask_like(shape: tuple[int, ...], rate: float, like: Tensor) -> Tensor:
    """A mask on the device and in the number format of `like`: 0 with probability `rate`, else 1 / (1 - rate)."""
    kept = torch.rand(shape, device=like.device) >= rate
    return kept.to(like.dtype) / (1 - rate)


def apply_mask(x: Float[Tensor, "*shape"], rate: float) -> Float[Tensor, "*shape"]:
    """`x` with entries dropped one by one, the others scaled up."""
    return x * mask_like(tuple(x.shape), rate, x)


def projection(width: int, embedding: int, tied: bool) -> nn.Module:
    """The map between features of `width` and an output table of `embedding` numbers a word.

    A linear map if the sizes differ or the table is tied to the embeddings (Gulordava et al. 2018): residual sums carry
    the last word's embedding up to the table, and without a map every word would predict itself at the start.
    """
    return nn.Linear(width, embedding) if tied or width != embedding else nn.Identity()


class Embedding(nn.Module):
    """A table of `vocabulary` rows of `size` numbers, widened to `width` where that is another number.

    Rows start with deviation 1/sqrt(size) and are multiplied by sqrt(size) on the way in, so that a table that is tied
    to the output layer suits both of its uses.
    """

    def __init__(self, vocabulary: int, size: int, width: int, word_dropout: float, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.normal_(empty(vocabulary, size), std=size**-0.5))
        self.scale = size**0.5
        self.word_dropout = WordDropout(word_dropout)
        self.dropout = VariationalDropout(dropout)
        self.widen = nn.Linear(size, width) if size != width else nn.Identity()

    def forward(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time width"]:
        embedded = F.embedding(ids, self.weight) * self.scale
        widened: Tensor = self.widen(self.dropout(self.word_dropout(embedded)))
        return widened
