"""The encoder: embedded source sentences become a memory."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.cell.base import Cell
from seq2seq.network.feed_forward import FeedForward
from seq2seq.network.recurrent import Bidirectional, reversed_order
from seq2seq.network.sublayer import Sublayer


class Memory(NamedTuple):
    """What a decoder may know of the source."""

    values: Float[Tensor, "batch source memory"]
    mask: Bool[Tensor, "batch source"]


class Encoder(nn.Module):
    """Deep bidirectional layers, each with a feed-forward block `feed_forward` times as wide inside; 0 for none."""

    def __init__(
        self,
        width: int,
        layers: int,
        feed_forward: int,
        cell: Callable[[int, int], Cell],
        sublayer: Callable[[int], Sublayer],
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"encoder.layers: expected a positive int, got {layers}")
        if feed_forward < 0:
            raise ConfigError(
                f"encoder.feed_forward: expected 0 (no block) or how many times as wide, got {feed_forward}"
            )
        self.recurrent = nn.ModuleList(Bidirectional(width, cell, sublayer) for _ in range(layers))
        self.feed_forward = nn.ModuleList(
            FeedForward(width, feed_forward * width, sublayer) if feed_forward else nn.Identity() for _ in range(layers)
        )
        self.closing = sublayer(width).closing()

    def forward(self, x: Float[Tensor, "batch source width"], mask: Bool[Tensor, "batch source"]) -> Memory:
        order = reversed_order(mask)
        for recurrent, feed_forward in zip(self.recurrent, self.feed_forward, strict=True):
            x = feed_forward(recurrent(x, order))
        return Memory(self.closing(x), mask)
