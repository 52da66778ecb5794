"""What cells share whose gates see the input only: the state is a linear recurrence, computed in parallel over time."""

import copy
from abc import abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.cell.base import Cell, widened
from seq2seq.network.scan import scan, solve
from seq2seq.network.state import State

NEAR = 2**20  # numbers that a processor works on fastest, one operation after the other: they stay close to it
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
        """The output of every position: the state itself, unless the cell overrides it."""
        return hidden

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        assert isinstance(state, Tensor)
        sums = self._cut(projected)
        keep, write = self.coefficients(sums)
        hidden = torch.addcmul(write, keep, state)
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

    def beside(self, other: "Scanned") -> "Scanned":
        """One cell with the features of both, its own first; both read the same input."""
        joined = copy.deepcopy(self)
        joined.hidden_size = self.hidden_size + other.hidden_size
        for (name, mine), its in zip(self.named_parameters(), other.parameters(), strict=True):
            gates = [one.detach().view(-1, self.hidden_size, *one.shape[1:]) for one in (mine, its)]
            setattr(joined, name, nn.Parameter(torch.cat(gates, dim=1).flatten(0, 1)))
        return joined

    def both_ways(
        self,
        projected: Float[Tensor, "batch time gates"],
        mask: Bool[Tensor, "batch time"],
        state: State,
    ) -> tuple[Float[Tensor, "batch time hidden"], Float[Tensor, "batch hidden"]]:
        """All steps, of half of the features (see `beside`) from the first position, of the others from the last."""
        assert isinstance(state, Tensor)
        outputs, end = projected.new_empty(*projected.shape[:2], self.hidden_size), torch.empty_like(state)
        rows = max(1, NEAR // projected[0].numel())
        for part in zip(*(torch.split(whole, rows) for whole in (projected, mask, state, outputs, end)), strict=True):
            self._both_ways(*part)
        return outputs, end

    def _both_ways(self, projected: Tensor, mask: Tensor, state: Tensor, outputs: Tensor, end: Tensor) -> None:
        """Fills `outputs` and `end`."""
        sums = self._cut(projected)
        keep, states = self.coefficients(sums)
        padding = (~mask).flatten().nonzero().squeeze(1)
        if len(padding):
            keep.flatten(0, 1).index_fill_(0, padding, 1)
            states.flatten(0, 1).index_fill_(0, padding, 0)
        halves = zip(*(whole.chunk(2, dim=-1) for whole in (keep, states, state, end)), strict=True)
        for (kept, written, start, ending), leftward in zip(halves, (False, True), strict=True):
            solve(kept, written, start, leftward, states=written)
            ending.copy_(written[:, 0 if leftward else -1])
        outputs.copy_(self.read(states, sums))

    def _cut(self, projected: Tensor) -> Sums:
        # once: the gradient of every cut is as large as the whole
        return widened(projected).chunk(projected.shape[-1] // self.hidden_size, dim=-1)
