"""What every recurrent cell is: one step in time, and the same step over a whole sequence."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.network.state import State, merge


class Cell(nn.Module, ABC):
    """A recurrence `(input, state) -> (output, state)`.

    A cell gives `project`, the input's share of its sums, which needs no past and is one product over all positions,
    and `advance`, the rest of a step. `draw` is what one pass over sequences holds fixed: the recurrent weights, with
    dropout in training. `forward` equals repeated `step`; a cell with a fused kernel or a scan overrides it.

    `input_size` 0 makes a cell that reads its state only (a deep transition's later cells): `weight` is then None.
    """

    weight: nn.Parameter | None  # the input's matrix, gates one below the other
    bias: nn.Parameter

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size

    @abstractmethod
    def initial_state(self, shape: tuple[int, ...]) -> State:
        """Zeros: every tensor is `[*shape, size]`."""

    def project(self, x: Float[Tensor, "*shape input"]) -> Float[Tensor, "*shape gates"]:
        """The input's share of the sums inside the gates: W x + b."""
        if self.weight is None:
            return self.bias.expand(*x.shape[:-1], -1)
        return F.linear(x, self.weight, self.bias)

    def dropout_masks(self, shape: tuple[int, ...]) -> State:
        """Further inputs of `advance`, equal at all steps of a pass over `shape` sequences."""
        return ()

    @abstractmethod
    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        """One step from a projected input."""

    def step(
        self, x: Float[Tensor, "*shape input"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        """One step in time over any leading axes."""
        return self.advance(self.project(x), state, masks)

    def forward(
        self, x: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"] | None, state: State
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        """All steps. On padding (`mask` false, after a sequence) the state does not change and the output is zero."""
        return self.loop(x, mask, state, self.dropout_masks((len(x),)))

    def loop(
        self, x: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"] | None, state: State, masks: State
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        """`forward`, one step after the other, with what `draw` gave."""
        outputs = []
        # unbind, not projected[:, time]: the gradient of a slice is as large as the whole
        for time, projected in enumerate(self.project(x).unbind(1)):
            output, following = self.advance(projected, state, masks)
            if mask is not None:
                real = mask[:, time, None]
                following = merge(real, following, state)
                output = output.masked_fill(~real, 0)
            state = following
            outputs.append(output)
        return torch.stack(outputs, dim=1), state

    def zeros(self, shape: tuple[int, ...]) -> Tensor:
        """One tensor of an initial state, on the device of the weights."""
        return next(self.parameters()).new_zeros(*shape, self.hidden_size)


def widened(x: Tensor) -> Tensor:
    """In fp32 at least: what an exponential, a logarithm or a gate that stays close to 1 needs."""
    return x if x.dtype == torch.float64 else x.float()
