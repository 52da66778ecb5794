"""The default decoder: no loop over time under teacher forcing."""

from collections.abc import Callable, Sequence
from typing import Literal, cast

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.attention.base import Attention
from seq2seq.network.bridge import Bridge
from seq2seq.network.cell.base import Cell
from seq2seq.network.decoder.attend import Attend
from seq2seq.network.decoder.base import Decoder
from seq2seq.network.encoder import Memory
from seq2seq.network.feed_forward import FeedForward
from seq2seq.network.recurrent import Recurrent
from seq2seq.network.state import State, map_state
from seq2seq.network.sublayer import Sublayer


class Parallel(Decoder):
    """Layers of [recurrence][attention][feed-forward]; each runs over the whole target before the next begins.

    No context goes back into the first recurrence (as in GNMT, Wu et al. 2016), so nothing waits for the step before.
    `attend` names the layers with attention; `feed_forward` is how many times as wide that block is inside, 0 for none.
    """

    def __init__(
        self,
        width: int,
        layers: int,
        feed_forward: int,
        attend: Literal["first", "last", "all"],
        cell: Callable[[int, int], Cell],
        attention: Callable[[int, int], Attention],
        bridge: Callable[[int, Sequence[Cell]], Bridge],
        sublayer: Callable[[int], Sublayer],
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"decoder.layers: expected a positive int, got {layers}")
        if feed_forward < 0:
            raise ConfigError(
                f"decoder.feed_forward: expected 0 (no block) or how many times as wide, got {feed_forward}"
            )
        attending = {"first": [0], "last": [layers - 1], "all": list(range(layers))}[attend]
        stack = [
            _Layer(width, feed_forward, cell, attention if layer in attending else None, sublayer)
            for layer in range(layers)
        ]
        self.layers = nn.ModuleList(stack)
        self.bridge = bridge(width, [layer.recurrent.cell for layer in stack])
        self.closing = sublayer(width).closing()

    def forward(self, x: Float[Tensor, "batch target width"], memory: Memory) -> Float[Tensor, "batch target width"]:
        states = self.bridge(memory)
        for layer, state in zip(self._stack, states, strict=True):
            x = layer(x, state, memory)
        return self.closing(x)

    def start(self, memory: Memory) -> tuple[State, State]:
        states = map_state(lambda tensor: tensor.unsqueeze(1), self.bridge(memory))
        pasts = tuple(layer.past(memory.mask) for layer in self._stack)
        return (memory.mask, tuple(layer.keys(memory) for layer in self._stack)), tuple(zip(states, pasts, strict=True))

    def step(
        self, x: Float[Tensor, "batch beam width"], state: State, prepared: State
    ) -> tuple[Float[Tensor, "batch beam width"], State]:
        mask, keys = prepared
        states = []
        for layer, layer_state, layer_keys in zip(self._stack, state, keys, strict=True):
            x, following = layer.step(x, layer_state, layer_keys, mask)
            states.append(following)
        return self.closing(x), tuple(states)

    @property
    def _stack(self) -> "list[_Layer]":
        return cast("list[_Layer]", list(self.layers))


class _Layer(nn.Module):
    def __init__(
        self,
        width: int,
        feed_forward: int,
        cell: Callable[[int, int], Cell],
        attention: Callable[[int, int], Attention] | None,
        sublayer: Callable[[int], Sublayer],
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(width, cell, sublayer)
        self.attend = Attend(width, attention, sublayer) if attention else None
        self.feed_forward = FeedForward(width, feed_forward * width, sublayer) if feed_forward else None

    def keys(self, memory: Memory) -> State:
        return self.attend.attention.keys(memory.values) if self.attend else ()

    def past(self, mask: Tensor) -> State:
        return self.attend.attention.start(mask) if self.attend else ()

    def forward(self, x: Tensor, state: State, memory: Memory) -> Tensor:
        x = self.recurrent(x, state)
        if self.attend:
            x = self.attend(x, self.keys(memory), memory.mask)
        return self.feed_forward(x) if self.feed_forward else x

    def step(self, x: Tensor, state: State, keys: State, mask: Tensor) -> tuple[Tensor, State]:
        recurrent, past = state
        x, recurrent = self.recurrent.step(x, recurrent, self.recurrent.cell.draw(x.shape[:2]))
        if self.attend:
            x, past = self.attend.step(x, keys, mask, past)
        return (self.feed_forward(x) if self.feed_forward else x), (recurrent, past)
