"""What cells share whose gates see the input only: the state is a linear recurrence, computed in parallel over time."""

from abc import abstractmethod

from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.network.cell.base import Cell, widened
from seq2seq.network.scan import scan
from seq2seq.network.state import State

Sums = tuple[Tensor, ...]  # W x + b of each gate, `[*shape, hidden]`, in fp32


class Scanned(Cell):
    """h_t = keep_t * h_{t-1} + write_t, and an output read off h_t.

    No recurrent matrix, so nothing of a step waits for the one before but this sum, which is in fp32: keep close to 1
    is the memory, and bf16 knows nothing between 0.996 and 1. State: `h`.
    """

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape)

    @abstractmethod
    def coefficients(self, sums: Sums) -> tuple[Float[Tensor, "*shape hidden"], Float[Tensor, "*shape hidden"]]:
        """`(keep, write)` of every position."""

    def read(self, hidden: Float[Tensor, "*shape hidden"], sums: Sums) -> Float[Tensor, "*shape hidden"]:
        """The output of every position: the state itself where a cell has nothing else."""
        return hidden

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, drawn: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        assert isinstance(state, Tensor)
        sums = self._cut(projected)
        keep, write = self.coefficients(sums)
        hidden = keep * state + write
        return self.read(hidden, sums).to(projected.dtype), hidden

    def forward(
        self, x: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"] | None, state: State
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        """All steps at once."""
        assert isinstance(state, Tensor)
        projected = self.project(x)
        sums = self._cut(projected)
        keep, write = self.coefficients(sums)
        if mask is not None:
            padding = ~mask.unsqueeze(-1)
            keep, write = keep.masked_fill(padding, 1), write.masked_fill(padding, 0)
        hidden = scan(keep, write, state)
        outputs = self.read(hidden, sums).to(projected.dtype)
        if mask is not None:
            outputs = outputs.masked_fill(padding, 0)
        return outputs, hidden[:, -1]

    def _cut(self, projected: Tensor) -> Sums:
        # once: the gradient of every cut is as large as the whole
        return widened(projected).chunk(projected.shape[-1] // self.hidden_size, dim=-1)
