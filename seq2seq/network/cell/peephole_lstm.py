"""LSTM whose gates look at the cell state (Gers & Schmidhuber 2000; Gers et al. 2002)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.network.cell.recurrence import Recurrence
from seq2seq.network.layers import tanh
from seq2seq.network.state import State


class PeepholeLSTM(Recurrence):
    """Gates see the cell state too, each feature its own: the peepholes p are diagonal.

        i  = sigmoid(W_i x + U_i h + p_i * c + b_i)
        f  = sigmoid(W_f x + U_f h + p_f * c + b_f)
        g  = tanh(W_g x + U_g h + b_g)
        c' = f * c + i * g
        o  = sigmoid(W_o x + U_o h + p_o * c' + b_o)          the output gate sees the new cell state
        h' = o * tanh(c')

    State: `(h, c)`. Gate order: i, f, g, o; peepholes i, f, o start at 0. `forget_bias`: initial b_f.
    """

    def __init__(
        self, input_size: int, hidden_size: int, forget_bias: float, weight_dropout: float, state_dropout: float
    ) -> None:
        super().__init__(input_size, hidden_size, (0.0, forget_bias, 0.0, 0.0), weight_dropout, state_dropout)
        self.peephole = nn.Parameter(torch.zeros(3, hidden_size))

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape), self.zeros(shape)

    def dropout_masks(self, shape: tuple[int, ...]) -> State:
        """`(U, mask, peepholes)`: these are cut apart once a pass."""
        matrix, mask = super().dropout_masks(shape)
        return matrix, mask, self.peephole.unbind()

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        hidden, cell = state
        assert isinstance(hidden, Tensor) and isinstance(cell, Tensor)
        *weights, (peep_i, peep_f, peep_o) = masks
        i, f, g, o = (projected + self.past(hidden, tuple(weights))).chunk(4, dim=-1)
        forget = torch.sigmoid(torch.addcmul(f, peep_f, cell))
        write = torch.sigmoid(torch.addcmul(i, peep_i, cell))
        cell = forget * cell + write * tanh(g)
        hidden = torch.sigmoid(torch.addcmul(o, peep_o, cell)) * tanh(cell)
        return hidden, (hidden, cell)
