"""From the memory to the decoder's first state."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from seq2seq.network.cell.base import Cell
from seq2seq.network.encoder import Memory
from seq2seq.network.state import State, map_state, tensors


class Bridge(nn.Module, ABC):
    """One initial state per decoder layer; every tensor is `[batch, size]`."""

    def __init__(self, memory_size: int, cells: Sequence[Cell]) -> None:
        super().__init__()
        self.shapes = [cell.initial_state((1,)) for cell in cells]

    @abstractmethod
    def forward(self, memory: Memory) -> State:
        """A tuple of states, one per layer."""


class Zeros(Bridge):
    """Every sentence starts from nothing: all the decoder knows comes through attention."""

    def forward(self, memory: Memory) -> State:
        batch = len(memory.values)
        return tuple(_fill(shape, lambda size: memory.values.new_zeros(batch, size)) for shape in self.shapes)


class Mean(Bridge):
    """tanh(W mean of the memory), as in Nematus (Sennrich et al. 2017, equation 3)."""

    def __init__(self, memory_size: int, cells: Sequence[Cell]) -> None:
        super().__init__(memory_size, cells)
        self.sizes = [part.shape[-1] for shape in self.shapes for part in tensors(shape)]
        self.start = nn.Linear(memory_size, sum(self.sizes))
        nn.init.xavier_uniform_(self.start.weight)
        nn.init.zeros_(self.start.bias)

    def forward(self, memory: Memory) -> State:
        real = memory.mask.unsqueeze(-1)
        mean = (memory.values * real).sum(1) / real.sum(1).clamp(min=1)
        parts = iter(torch.split(torch.tanh(self.start(mean)), self.sizes, dim=-1))
        return tuple(_fill(shape, lambda size: next(parts)) for shape in self.shapes)


def _fill(shape: State, tensor_of: Callable[[int], Tensor]) -> State:
    return map_state(lambda part: tensor_of(part.shape[-1]), shape)
