"""LSTM with coupled input and forget gates (Greff et al. 2017: CIFG)."""

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.network.cell.recurrence import Recurrence
from seq2seq.network.layers import tanh
from seq2seq.network.state import State


class CoupledLSTM(Recurrence):
    """A single gate for forgetting and writing: the input gate is 1 - f.

        f, o = sigmoid(W x + U h + b), each with its own W, U, b
        g  = tanh(W_g x + U_g h + b_g)
        c' = f * c + (1 - f) * g
        h' = o * tanh(c')

    State: `(h, c)`. Gate order: f, g, o. `forget_bias`: initial b_f.
    """

    def __init__(
        self, input_size: int, hidden_size: int, forget_bias: float, weight_dropout: float, state_dropout: float
    ) -> None:
        super().__init__(input_size, hidden_size, (forget_bias, 0.0, 0.0), weight_dropout, state_dropout)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape), self.zeros(shape)

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        hidden, cell = state
        assert isinstance(hidden, Tensor) and isinstance(cell, Tensor)
        f, g, o = (projected + self.past(hidden, masks)).chunk(3, dim=-1)
        candidate = tanh(g)
        cell = candidate + torch.sigmoid(f) * (cell - candidate)
        hidden = torch.sigmoid(o) * tanh(cell)
        return hidden, (hidden, cell)
