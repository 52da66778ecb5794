"""Dropout with one mask per sequence, and dropout of whole words (Gal & Ghahramani 2016)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError


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
