"""LSTM with layer normalisation inside (Ba et al. 2016)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.network.cell.recurrence import Recurrence
from seq2seq.network.layers import tanh
from seq2seq.network.state import State


class LayerNormLSTM(Recurrence):
    """Both products and the cell state are normalised (equations 20 to 22 of the supplement).

        [i, f, g, o] = LN(U h; s_u) + LN(W x; s_w) + b
        c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h' = sigmoid(o) * tanh(LN(c'; s_c) + b_c)

    LN subtracts the mean, divides by the deviation and multiplies by s. As in the paper each product is normalised as
    a whole, all four gates together; the paper's two biases of these are one, b, as their sum is all that counts.
    State: `(h, c)`. Gates lie in the order i, f, g, o. `forget_bias`: where b_f starts.
    """

    def __init__(
        self, input_size: int, hidden_size: int, forget_bias: float, weight_dropout: float, state_dropout: float
    ) -> None:
        super().__init__(input_size, hidden_size, (0.0, forget_bias, 0.0, 0.0), weight_dropout, state_dropout)
        self.input_scale = nn.Parameter(torch.ones(4 * hidden_size)) if input_size else None
        self.recurrent_scale = nn.Parameter(torch.ones(4 * hidden_size))
        self.cell_scale = nn.Parameter(torch.ones(hidden_size))
        self.cell_bias = nn.Parameter(torch.zeros(hidden_size))

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape), self.zeros(shape)

    def project(self, x: Float[Tensor, "*shape input"]) -> Float[Tensor, "*shape gates"]:
        if self.weight is None:
            return super().project(x)
        return F.layer_norm(F.linear(x, self.weight), self.bias.shape, self.input_scale, self.bias)

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        hidden, cell = state
        assert isinstance(hidden, Tensor) and isinstance(cell, Tensor)
        past = F.layer_norm(self.past(hidden, masks), self.bias.shape, self.recurrent_scale)
        i, f, g, o = (projected + past).chunk(4, dim=-1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * tanh(g)
        seen = F.layer_norm(cell, (self.hidden_size,), self.cell_scale, self.cell_bias)
        hidden = torch.sigmoid(o) * tanh(seen)
        return hidden, (hidden, cell)
