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
from seq2seq.network.decoder.shared import Shared
from seq2seq.network.encoder import Memory
from seq2seq.network.recurrent import Recurrent
from seq2seq.network.state import State, map_state
from seq2seq.network.sublayer import FeedForward, Sublayer


class Parallel(Decoder):
    """Layers of [recurrence][attention][feed-forward]; each runs over the whole target before the next begins.

    No context enters the first recurrence, so nothing waits for the previous step. `attend`: the layers with attention.

        first, last, all   these layers, each with its own attention, whose context is added to the residual stream
        shared             the first layer; the others read its context beside their input (GNMT, Wu et al. 2016)
        none               no layer: the source is known from the bridge only (Sutskever et al. 2014)

    `feed_forward`: inner width of that block as a multiple of the width, 0 for none.
    """

    def __init__(
        self,
        width: int,
        last: Sequence[State],
        layers: int,
        feed_forward: int,
        attend: Literal["first", "last", "all", "shared", "none"],
        cell: Callable[[int, int], Cell],
        attention: Callable[[int, int], Attention],
        bridge: Callable[[int, Sequence[State], Sequence[Cell]], Bridge],
        sublayer: Callable[[int], Sublayer],
    ) -> None:
        super().__init__()
        if layers < (2 if attend == "shared" else 1):
            expected = "at least 2 where decoder.attend=shared" if attend == "shared" else "a positive int"
            raise ConfigError(f"decoder.layers: expected {expected}, got {layers}")
        if feed_forward < 0:
            raise ConfigError(
                f"decoder.feed_forward: expected 0 (no block) or how many times as wide, got {feed_forward}"
            )
        attending = {"first": [0], "last": [layers - 1], "all": list(range(layers))}.get(attend, [])
        self.shared = Shared(width, attention, sublayer) if attend == "shared" else None
        beside = self.shared.attention.context_size if self.shared else 0
        stack = [
            _Layer(
                Recurrent(width, cell, sublayer, number + 1, beside if number else 0),
                Attend(width, attention, sublayer) if number in attending else None,
                FeedForward(width, feed_forward * width, sublayer) if feed_forward else None,
            )
            for number in range(layers)
        ]
        self.layers = nn.ModuleList(stack)
        self.bridge = bridge(width, last, [layer.recurrent.cell for layer in stack])
        self.closing = sublayer(width).final_norm()

    def forward(self, x: Float[Tensor, "batch target width"], memory: Memory) -> Float[Tensor, "batch target width"]:
        context = None
        for number, (layer, state) in enumerate(zip(self._stack, self.bridge(memory), strict=True)):
            x = layer(x, state, memory, context)
            if self.shared and number == 0:
                context = self.shared(x, self.shared.attention.keys(memory.values), memory.mask)
        return self.closing(x)

    def start(self, memory: Memory) -> tuple[State, State]:
        states = map_state(lambda tensor: tensor.unsqueeze(1), self.bridge(memory))
        attentions = [part.attention if part else None for part in (self.shared, *(one.attend for one in self._stack))]
        keys = tuple(one.keys(memory.values) if one else () for one in attentions)
        pasts = tuple(one.start(memory.mask) if one else () for one in attentions)
        return (memory.mask, keys), (states, pasts)

    def project(self, x: Float[Tensor, "batch beam width"]) -> State:
        """The word, and its share of the sums inside the lowest recurrence."""
        return x, self._stack[0].recurrent.project(x)

    def advance(
        self, projected: State, state: State, prepared: State
    ) -> tuple[Float[Tensor, "batch beam width"], State]:
        x, sums = projected
        mask, (shared_keys, *keys) = prepared
        states, (shared_past, *pasts) = state
        following, following_pasts = [], []
        context = None
        for number, layer in enumerate(self._stack):
            if number:
                sums = layer.recurrent.project(x, context)
            x, layer_state, past = layer.advance(x, sums, states[number], keys[number], mask, pasts[number])
            following.append(layer_state)
            following_pasts.append(past)
            if self.shared and number == 0:
                context, shared_past = self.shared.step(x, shared_keys, mask, shared_past)
        return self.closing(x), (tuple(following), (shared_past, *following_pasts))

    @property
    def _stack(self) -> "list[_Layer]":
        return cast("list[_Layer]", list(self.layers))


class _Layer(nn.Module):
    def __init__(self, recurrent: Recurrent, attend: Attend | None, feed_forward: FeedForward | None) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.attend = attend
        self.feed_forward = feed_forward

    def forward(self, x: Tensor, state: State, memory: Memory, context: Tensor | None) -> Tensor:
        x, _ = self.recurrent(x, state, None, context)
        if self.attend:
            x = self.attend(x, self.attend.attention.keys(memory.values), memory.mask)
        return self.feed_forward(x) if self.feed_forward else x

    def advance(
        self, x: Tensor, sums: Tensor, state: State, keys: State, mask: Tensor, past: State
    ) -> tuple[Tensor, State, State]:
        x, state = self.recurrent.advance(x, sums, state, self.recurrent.cell.dropout_masks(x.shape[:2]))
        if self.attend:
            x, past = self.attend.step(x, keys, mask, past)
        return (self.feed_forward(x) if self.feed_forward else x), state, past
