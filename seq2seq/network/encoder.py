"""The encoder: embedded source sentences become a memory."""

from collections.abc import Callable
from typing import Literal, NamedTuple, cast

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.cell.base import Cell
from seq2seq.network.recurrent import Bidirectional, SequenceInfo, Unidirectional, reverse, reversed_order
from seq2seq.network.state import State, map_state
from seq2seq.network.sublayer import FeedForward, Sublayer

Shape = Literal["unidirectional", "bidirectional", "alternating", "gnmt"]


class Memory(NamedTuple):
    """What a decoder may know of the source."""

    values: Float[Tensor, "batch source memory"]
    mask: Bool[Tensor, "batch source"]
    last: State = ()  # each layer's state after its last token, `[batch, size]`; () if not needed


class Encoder(nn.Module):
    """Deep recurrent layers, each with a feed-forward block `feed_forward` times as wide inside; 0 for none.

    `shape`: the directions of the layers.

        unidirectional   every layer rightward (Cho et al. 2014; Sutskever et al. 2014)
        bidirectional    every layer from both ends, two cells of half the width (Bahdanau et al. 2015)
        alternating      rightward, leftward, rightward, ... (Zhou et al. 2016)
        gnmt             the first layer from both ends, the others rightward (Wu et al. 2016)

    `reversed`: reverses the tokens of each source, so that a rightward layer ends at the first word (Sutskever et al.
    2014, section 3.3). The memory is in that order.
    """

    def __init__(
        self,
        width: int,
        layers: int,
        shape: Shape,
        reversed: bool,
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
        self.reversed = reversed
        self.recurrent = nn.ModuleList(_layer(shape, number, width, cell, sublayer) for number in range(1, layers + 1))
        self.feed_forward = nn.ModuleList(
            FeedForward(width, feed_forward * width, sublayer) if feed_forward else nn.Identity() for _ in range(layers)
        )
        self.closing = sublayer(width).final_norm()

    def initial_states(self, batch: int) -> tuple[State, ...]:
        """What `Memory.last` looks like, before any token: one state a layer."""
        return tuple(layer.initial_state(batch) for layer in self._layers)

    def project(self, x: Float[Tensor, "batch source width"]) -> State:
        """The part of the lowest layer that depends on each token alone."""
        return self._layers[0].project(x)

    def forward(
        self, x: Float[Tensor, "batch source width"], mask: Bool[Tensor, "batch source"], last: bool = False
    ) -> Memory:
        """The memory; with its `last` states only where asked, because standing still on padding costs time."""
        return self.read(self.project(x), mask, last)

    def read(self, projected: State, mask: Bool[Tensor, "batch source"], last: bool = False) -> Memory:
        """`forward` from what `project` made of the tokens."""
        way = SequenceInfo(mask, reversed_order(mask), last)
        if self.reversed:
            projected = map_state(lambda part: reverse(part, way.order), projected)
        lowest, *others = zip(self._layers, self.feed_forward, strict=True)
        x, state = lowest[0](projected, way)
        x, states = lowest[1](x), [state]
        for recurrent, feed_forward in others:
            x, state = recurrent(recurrent.project(x), way)
            x = feed_forward(x)
            states.append(state)
        return Memory(self.closing(x), mask, tuple(states) if last else ())

    @property
    def _layers(self) -> list[Bidirectional | Unidirectional]:
        return cast("list[Bidirectional | Unidirectional]", list(self.recurrent))


def _layer(
    shape: Shape, number: int, width: int, cell: Callable[[int, int], Cell], sublayer: Callable[[int], Sublayer]
) -> Bidirectional | Unidirectional:
    """The layer of this number, the lowest being 1."""
    if shape == "bidirectional" or (shape == "gnmt" and number == 1):
        return Bidirectional(width, cell, sublayer, number)
    return Unidirectional(width, cell, sublayer, number, leftward=shape == "alternating" and number % 2 == 0)
