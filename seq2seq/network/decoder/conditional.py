"""The conditional decoder (Bahdanau et al. 2015; Sennrich et al. 2017): the context enters the recurrence."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, cast

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
from seq2seq.network.state import State, map_state, tensors
from seq2seq.network.sublayer import Sublayer


class Conditional(Decoder):
    """One recurrence through the context `c`, layers above it that read `c` beside their input, and a readout.

    With two `transitions` (Nematus; Sennrich et al. 2017, section 2; any cell in place of their GRU):

        s'_j = cell_1(y_{j-1}, s_{j-1})
        c_j  = attention(memory, s'_j)
        s_j  = cell_2(c_j, s'_j)

    With one (Bahdanau et al. 2015, section A.2; Cho et al. 2014 with the attention `last`):

        c_j  = attention(memory, s_{j-1})
        s_j  = cell(y_{j-1} + W c_j, s_{j-1})

    Both end in t_j = tanh(W_s s_j + W_y y_{j-1} + W_c c_j + b) (equation 5 of Nematus), with the highest layer's `s_j`.
    Attention reads the cell's output, at first the bridge's first tensor.

    Only the lowest layer waits for the previous step: under teacher forcing the layers above and the readout are
    computed for all positions at once. State: `(layer states, output of the lowest layer, past of the attention)`.
    """

    def __init__(
        self,
        width: int,
        last: Sequence[State],
        layers: int,
        transitions: Literal[1, 2],
        cell: Callable[[int, int], Cell],
        attention: Callable[[int, int], Attention],
        bridge: Callable[[int, Sequence[State], Sequence[Cell]], Bridge],
        sublayer: Callable[[int], Sublayer],
    ) -> None:
        super().__init__()
        if layers < 1:
            raise ConfigError(f"decoder.layers: expected a positive int, got {layers}")
        self.attention = attention(width, width)
        beside = self.attention.context_size
        self.word = cell(width, width) if transitions == 2 else None
        self.found = None if self.word else nn.Linear(beside, width, bias=False)
        self.cell = cell(beside if self.word else width, width)
        upper = [Recurrent(width, cell, sublayer, number, beside) for number in range(2, layers + 1)]
        self.layers = nn.ModuleList(upper)
        self.closing = sublayer(width).final_norm()
        self.dropout = sublayer(width).dropout
        self.readout = _Readout(width, beside)
        self.bridge = bridge(width, last, [self.cell, *(layer.cell for layer in upper)])
        if self.found:
            nn.init.xavier_uniform_(self.found.weight)

    def forward(self, x: Float[Tensor, "batch target width"], memory: Memory) -> Float[Tensor, "batch target width"]:
        prepared, ((state, *states), output, past) = self.start(memory)
        drawn = self._dropout_masks((len(x), 1))
        outputs, contexts = [], []
        position = _Position(state, output, past)
        for projected in torch.split(self._project(x), 1, dim=1):
            context, position = self._advance(projected, position, prepared, drawn)
            outputs.append(position.output)
            contexts.append(context)
        context, hidden = self.dropout(torch.cat(contexts, dim=1)), self.dropout(torch.cat(outputs, dim=1))
        for layer, layer_state in zip(self._upper, states, strict=True):
            hidden, _ = layer(hidden, map_state(lambda tensor: tensor.squeeze(1), layer_state), None, context)
        return self.dropout(self.readout(self.closing(hidden), self.readout.word(x), context))

    def start(self, memory: Memory) -> tuple[State, State]:
        states = map_state(lambda tensor: tensor.unsqueeze(1), self.bridge(memory))
        prepared = memory.mask, self.attention.keys(memory.values)
        return prepared, (states, tensors(states[0])[0], self.attention.start(memory.mask))

    def project(self, x: Float[Tensor, "batch beam width"]) -> State:
        """What the recurrence and the readout need of the words."""
        return self._project(x), self.readout.word(x)

    def advance(
        self, projected: State, state: State, prepared: State
    ) -> tuple[Float[Tensor, "batch beam width"], State]:
        sums, word = projected
        (lowest, *states), output, past = state
        shape = word.shape[:2]
        context, position = self._advance(sums, _Position(lowest, output, past), prepared, self._dropout_masks(shape))
        hidden = position.output
        following = [position.state]
        for layer, layer_state in zip(self._upper, states, strict=True):
            hidden, layer_state = layer.step(hidden, layer_state, layer.cell.dropout_masks(shape), context)
            following.append(layer_state)
        features = self.readout(self.closing(hidden), word, context)
        return features, (tuple(following), position.output, position.past)

    def _dropout_masks(self, shape: tuple[int, ...]) -> tuple[State, State]:
        return self.word.dropout_masks(shape) if self.word else (), self.cell.dropout_masks(shape)

    def _project(self, x: Tensor) -> Tensor:
        """What the recurrence needs of the words, for all positions at once."""
        return self.word.project(x) if self.word else x

    def _advance(
        self, projected: Tensor, position: "_Position", prepared: State, masks: tuple[State, State]
    ) -> tuple[Tensor, "_Position"]:
        """The context of one position, and the lowest layer after it."""
        mask, keys = prepared
        query, state, past = position.output, position.state, position.past
        if self.word:
            query, state = self.word.advance(projected, state, masks[0])
        context, _, past = self.attention.step(query, keys, mask, past)
        read = projected + self.found(context) if self.found else context
        output, state = self.cell.step(read, state, masks[1])
        return context, _Position(state, output, past)

    @property
    def _upper(self) -> list[Recurrent]:
        return cast("list[Recurrent]", list(self.layers))


class _Position(NamedTuple):
    """The lowest layer and its attention between two target positions."""

    state: State
    output: Tensor
    past: State


class _Readout(nn.Module):
    """tanh(W_s s + W_y y + W_c c + b), W_y y given."""

    def __init__(self, width: int, context_size: int) -> None:
        super().__init__()
        self.state = nn.Linear(width, width)
        self.word = nn.Linear(width, width, bias=False)
        self.context = nn.Linear(context_size, width, bias=False)
        for layer in (self.state, self.word, self.context):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.state.bias)

    def forward(self, state: Tensor, word: Tensor, context: Tensor) -> Tensor:
        return tanh(self.state(state) + word + self.context(context))
