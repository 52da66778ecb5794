"""Gated recurrent unit as it was published (Cho et al. 2014): the reset gate acts before the product."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from seq2seq.network.cell.recurrence import Recurrence, cast_once
from seq2seq.network.layers import tanh
from seq2seq.network.state import State


class ChoGRU(Recurrence):
    """One state, mixed from the old one and a candidate (equations 5 to 8 of the paper, with biases).

        r, z = sigmoid(W x + U h + b), each with its own W, U, b
        n  = tanh(W_n x + U_n (r * h) + b_n)
        h' = (1 - z) * n + z * h

    The candidate's product waits for the reset gate: two products a step, and no fused kernel (`cell=gru` is the
    variant that has one). State: `h`. Gate order: r, z, n.
    """

    def __init__(self, input_size: int, hidden_size: int, weight_dropout: float, state_dropout: float) -> None:
        super().__init__(input_size, hidden_size, (0.0, 0.0, 0.0), weight_dropout, state_dropout)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape)

    def dropout_masks(self, shape: tuple[int, ...]) -> State:
        """`((U_r and U_z, U_n), mask)`: cut once a pass, not at every step."""
        matrix, mask = super().dropout_masks(shape)
        return cast_once(matrix).tensor_split([2 * self.hidden_size]), mask

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        assert isinstance(state, Tensor)
        (gates, inner), mask = masks
        seen = state * mask if isinstance(mask, Tensor) else state
        sums, candidate = projected.tensor_split([2 * self.hidden_size], dim=-1)
        reset, update = torch.sigmoid(sums + F.linear(seen, gates)).chunk(2, dim=-1)
        candidate = tanh(candidate + F.linear(reset * seen, inner))
        hidden = candidate + update * (state - candidate)
        return hidden, hidden
