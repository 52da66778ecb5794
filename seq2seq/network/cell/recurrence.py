"""What cells with a recurrent matrix share: their weights, the dropout of those, and the choice of a fused kernel."""

from abc import abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.network.cell.base import Cell
from seq2seq.network.cell.initial import gate_bias, gate_matrix, input_matrix
from seq2seq.network.layers import apply_mask, legal_rate, mask_like
from seq2seq.network.state import State


class Recurrence(Cell):
    """A cell whose sums are W x + U h + b, one row of blocks per gate; `biases`: the initial biases of each gate.

    U starts orthogonal gate by gate (Saxe et al. 2014), W Xavier. Two dropouts, both drawn once a pass:
    `weight_dropout` drops entries of U (weight-drop, Merity et al. 2018), `state_dropout` features of the h that U
    reads, the same at every step of a sequence (Gal & Ghahramani 2016); the rest is scaled up.
    """

    def __init__(
        self, input_size: int, hidden_size: int, biases: tuple[float, ...], weight_dropout: float, state_dropout: float
    ) -> None:
        super().__init__(input_size, hidden_size)
        self.weight_dropout = legal_rate("cell.weight_dropout", weight_dropout)
        self.state_dropout = legal_rate("cell.state_dropout", state_dropout)
        self.weight = input_matrix(len(biases), hidden_size, input_size)
        self.recurrent = nn.Parameter(gate_matrix(len(biases), hidden_size, hidden_size, nn.init.orthogonal_))
        self.bias = gate_bias(*biases, size=hidden_size)

    def dropout_masks(self, shape: tuple[int, ...]) -> State:
        """`(U, mask)`: the recurrent matrix as this pass sees it, and the mask of its h, `()` for none."""
        return self._matrix(), self._mask(shape)

    def past(self, hidden: Float[Tensor, "*shape hidden"], masks: State) -> Float[Tensor, "*shape gates"]:
        """U h, the past's share of the sums."""
        matrix, mask = masks
        return F.linear(hidden * mask if isinstance(mask, Tensor) else hidden, matrix)

    def _matrix(self) -> Tensor:
        if not self.training or self.weight_dropout == 0:
            return self.recurrent  # autocast casts a parameter once and remembers it
        return cast_once(apply_mask(self.recurrent, self.weight_dropout))

    def _mask(self, shape: tuple[int, ...]) -> State:
        if not self.training or self.state_dropout == 0:
            return ()
        return mask_like((*shape, self.hidden_size), self.state_dropout, self.recurrent)


def cast_once(matrix: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
    """In autocast's number format: what is not a parameter it would cast again in every product."""
    device = matrix.device.type
    return matrix.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else matrix


class Fused(Recurrence):
    """A cell with a fused kernel over all steps, which cannot drop features of h: then it takes the loop."""

    def forward(
        self, x: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"] | None, state: State
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        drawn = matrix, dropout = self.dropout_masks((len(x),))
        if self.weight is None or isinstance(dropout, Tensor):
            return self.loop(x, mask, state, drawn)
        return self.kernel(x, mask, state, self.weight, matrix)

    @abstractmethod
    def kernel(
        self,
        x: Float[Tensor, "batch time input"],
        mask: Bool[Tensor, "batch time"] | None,
        state: State,
        weight: Float[Tensor, "gates input"],
        recurrent: Float[Tensor, "gates hidden"],
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        """All steps at once."""


def last_real(
    outputs: Float[Tensor, "batch time hidden"], mask: Bool[Tensor, "batch time"], start: Float[Tensor, "batch hidden"]
) -> Float[Tensor, "batch hidden"]:
    """The output at the end of every sequence, `start` for an empty one."""
    lengths = mask.sum(1)
    last = outputs[torch.arange(len(mask), device=mask.device), (lengths - 1).clamp(min=0)]
    return torch.where(lengths.unsqueeze(1) > 0, last, start.to(last.dtype))
