"""Input feeding (Luong et al. 2015, section 3.3): what attention found goes into the next step. A loop over time."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.attention.base import Attention
from seq2seq.network.bridge import Bridge
from seq2seq.network.cell.base import Cell
from seq2seq.network.decoder.base import Decoder
from seq2seq.network.encoder import Memory
from seq2seq.network.layers import tanh
from seq2seq.network.recurrent import Recurrent
from seq2seq.network.state import State, map_state
from seq2seq.network.sublayer import Sublayer


class InputFeeding(Decoder):
    """The attentional vector `a` is the output of a step and part of the next one's input.

        x' = W_x x + W_a a
        h  = layers(x')
        a  = tanh(W_c [context(h); h])

    State: `(layer states, a, what the attention knows of earlier positions)`. Slower in training than the parallel
    decoder by the length of the target.
    """

    def __init__(
        self,
        width: int,
        last: Sequence[State],
        layers: int,
        cell: Callable[[int, int], Cell],
        attention: Callable[[int, int], Attention],
        bridge: Callable[[int, Sequence[State], Sequence[Cell]], Bridge],
        sublayer: Callable[[int], Sublayer],
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"decoder.layers: expected a positive int, got {layers}")
        self.input = nn.Linear(width, width)
        self.fed = nn.Linear(width, width, bias=False)
        stack = [Recurrent(width, cell, sublayer, number) for number in range(1, layers + 1)]
        self.layers = nn.ModuleList(stack)
        self.closing = sublayer(width).final_norm()
        self.attention = attention(width, width)
        self.combine = nn.Linear(self.attention.context_size + width, width)
        for layer in (self.input, self.fed, self.combine):
            nn.init.xavier_uniform_(layer.weight)
        for layer in (self.input, self.combine):
            nn.init.zeros_(layer.bias)
        self.bridge = bridge(width, last, [layer.cell for layer in stack])
        self.dropout = sublayer(width).dropout

    def forward(self, x: Float[Tensor, "batch target width"], memory: Memory) -> Float[Tensor, "batch target width"]:
        prepared, state = self.start(memory)
        drawn = self._dropout_masks((len(x), 1))
        outputs = []
        for projected in self.input(x).split(1, dim=1):
            output, state = self._advance(projected, state, prepared, drawn)
            outputs.append(output)
        return self.dropout(torch.cat(outputs, dim=1))

    def start(self, memory: Memory) -> tuple[State, State]:
        states = map_state(lambda tensor: tensor.unsqueeze(1), self.bridge(memory))
        attentional = memory.values.new_zeros(len(memory.values), 1, memory.values.shape[-1])
        past = self.attention.start(memory.mask)
        return (memory.mask, self.attention.keys(memory.values)), (states, attentional, past)

    def project(self, x: Float[Tensor, "batch beam width"]) -> State:
        """W_x x."""
        projected: Tensor = self.input(x)
        return projected

    def advance(
        self, projected: State, state: State, prepared: State
    ) -> tuple[Float[Tensor, "batch beam width"], State]:
        assert isinstance(projected, Tensor)
        return self._advance(projected, state, prepared, self._dropout_masks(projected.shape[:2]))

    def _dropout_masks(self, shape: tuple[int, ...]) -> list[State]:
        return [layer.cell.dropout_masks(shape) for layer in self._stack]

    def _advance(self, projected: Tensor, state: State, prepared: State, masks: list[State]) -> tuple[Tensor, State]:
        mask, keys = prepared
        states, attentional, past = state
        x = projected + self.fed(attentional)
        following = []
        for layer, layer_state, layer_drawn in zip(self._stack, states, masks, strict=True):
            x, layer_state = layer.step(x, layer_state, layer_drawn)
            following.append(layer_state)
        hidden = self.closing(x)
        context, _, past = self.attention.step(hidden, keys, mask, past)
        attentional = tanh(self.combine(torch.cat([context, hidden.to(context.dtype)], dim=-1)))
        return attentional, (tuple(following), attentional, past)

    @property
    def _stack(self) -> list[Recurrent]:
        return cast("list[Recurrent]", list(self.layers))
