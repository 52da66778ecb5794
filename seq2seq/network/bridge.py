"""From the memory to the decoder's first state."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.cell.base import Cell
from seq2seq.network.encoder import Memory
from seq2seq.network.state import State, map_state, tensors


class Bridge(nn.Module, ABC):
    """One initial state per decoder layer; every tensor is `[batch, size]`.

    It is built from the size of the memory, the shape of `Memory.last` (a state a layer, one row each), and the
    decoder's cells. `reads_last`: whether it needs `Memory.last`, which costs the encoder time. A cell accepts any
    numbers between -1 and 1 in its state.
    """

    reads_last = False

    def __init__(self, memory_size: int, last: Sequence[State], cells: Sequence[Cell]) -> None:
        super().__init__()
        self.cells = tuple(cells)  # a tuple: their weights are the decoder's

    @abstractmethod
    def forward(self, memory: Memory) -> State:
        """A tuple of states, one per layer."""


class Zeros(Bridge):
    """Every sentence starts from nothing: all the decoder knows comes through attention."""

    def forward(self, memory: Memory) -> State:
        return tuple(cell.initial_state((len(memory.values),)) for cell in self.cells)


class Last(Bridge):
    """Decoder layer i starts where encoder layer i ended (Sutskever et al. 2014; Luong et al. 2015).

    Raises ConfigError where depths or the sizes of the states differ.
    """

    reads_last = True

    def __init__(self, memory_size: int, last: Sequence[State], cells: Sequence[Cell]) -> None:
        super().__init__(memory_size, last, cells)
        if len(last) != len(cells):
            raise ConfigError(
                f"bridge last: expected as many layers in the decoder as in the encoder, got {len(cells)} and "
                f"{len(last)}: set encoder.layers={len(cells)} or use bridge=projected"
            )
        for layer, (end, cell) in enumerate(zip(last, cells, strict=True), 1):
            result, expected = _sizes(end), _sizes(cell.initial_state((1,)))
            if result != expected:
                raise ConfigError(
                    f"bridge last: the state of encoder layer {layer}, of sizes {result}, does not fit the decoder's, "
                    f"{expected}: use the same cell on both sides or bridge=projected"
                )

    def forward(self, memory: Memory) -> State:
        return memory.last


class Learned(Bridge):
    """tanh(W summary + b) in every tensor of every state."""

    def __init__(self, memory_size: int, last: Sequence[State], cells: Sequence[Cell], summary_size: int) -> None:
        super().__init__(memory_size, last, cells)
        shapes = [cell.initial_state((1,)) for cell in cells]
        self.sizes = [part.shape[-1] for shape in shapes for part in tensors(shape)]
        self.start = nn.Linear(summary_size, sum(self.sizes))
        nn.init.xavier_uniform_(self.start.weight)
        nn.init.zeros_(self.start.bias)

    def fill(self, summary: Tensor) -> State:
        """States from one vector a sentence, `[batch, summary]`."""
        parts = iter(torch.split(torch.tanh(self.start(summary)), self.sizes, dim=-1))
        return tuple(map_state(lambda part: next(parts), cell.initial_state((1,))) for cell in self.cells)


class Mean(Learned):
    """tanh(W mean of the memory), as in Nematus (Sennrich et al. 2017, equation 3)."""

    def __init__(self, memory_size: int, last: Sequence[State], cells: Sequence[Cell]) -> None:
        super().__init__(memory_size, last, cells, memory_size)

    def forward(self, memory: Memory) -> State:
        real = memory.mask.unsqueeze(-1)
        return self.fill((memory.values * real).sum(1) / real.sum(1).clamp(min=1))


class Projected(Learned):
    """tanh(W last), from the last state of the encoder's highest layer, of any cell, to any decoder cell.

    Bahdanau et al. 2015 (section A.2.2) read only the leftward half of a bidirectional layer, whose last state is at
    the first word; here W sees both halves.
    """

    reads_last = True

    def __init__(self, memory_size: int, last: Sequence[State], cells: Sequence[Cell]) -> None:
        super().__init__(memory_size, last, cells, sum(_flat(last[-1])))

    def forward(self, memory: Memory) -> State:
        return self.fill(torch.cat(tensors(memory.last[-1]), dim=-1))


def _sizes(state: State) -> str:
    """The nest with the size of each tensor in its place: `(8, 8)`."""
    if isinstance(state, Tensor):
        return str(state.shape[-1])
    return f"({', '.join(map(_sizes, state))})"


def _flat(state: State) -> list[int]:
    return [tensor.shape[-1] for tensor in tensors(state)]
