"""Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.network.cell.base import Cell
from seq2seq.network.cell.initial import gate_matrix
from seq2seq.network.state import State

STUCK = 1e4  # a sum inside a gate that holds it at exactly 0 (negative) or 1


class LSTM(Cell):
    """A cell state kept by gates.

        i, f, o = sigmoid(W x + U h + b), each with its own W, U, b
        g  = tanh(W_g x + U_g h + b_g)
        c' = f * c + i * g
        h' = o * tanh(c')

    State: `(h, c)`. Gates lie in torch's order i, f, g, o. `forget_bias`: where b_f starts (Jozefowicz et al. 2015: 1).
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = nn.Parameter(gate_matrix(4, hidden_size, input_size, nn.init.xavier_uniform_))
        self.recurrent = nn.Parameter(gate_matrix(4, hidden_size, hidden_size, nn.init.orthogonal_))
        self.bias = nn.Parameter(torch.zeros(4 * hidden_size))
        self.no_bias: Tensor  # the kernel wants a second one
        self.register_buffer("no_bias", torch.zeros(4 * hidden_size), persistent=False)
        with torch.no_grad():
            self.bias[hidden_size : 2 * hidden_size] = forget_bias

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape), self.zeros(shape)

    def project(self, x: Float[Tensor, "*shape input"]) -> Float[Tensor, "*shape gates"]:
        return F.linear(x, self.weight, self.bias)

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, drawn: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        hidden, cell = state
        assert isinstance(hidden, Tensor) and isinstance(cell, Tensor)
        i, f, g, o = (projected + F.linear(hidden, self.recurrent)).chunk(4, dim=-1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        return hidden, (hidden, cell)

    def forward(
        self, x: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"] | None, state: State
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        """All steps in one fused kernel."""
        weight: Tensor = self.weight
        if mask is not None:  # an input that is 1 on padding holds the forget gate at 1 and the input gate at 0
            x = torch.cat([x, (~mask).to(x.dtype).unsqueeze(-1)], dim=-1)
            weight = torch.cat([weight, self._hold(weight)], dim=1)
        initial = [tensor.to(x.dtype).unsqueeze(0) for tensor in state if isinstance(tensor, Tensor)]
        weights = [weight, self.recurrent, self.bias, self.no_bias]
        outputs, hidden, cell = torch.lstm(x, initial, weights, True, 1, 0.0, self.training, False, True)
        if mask is None:
            return outputs, (hidden[0], cell[0])
        outputs = outputs.masked_fill(~mask.unsqueeze(-1), 0)
        lengths = mask.sum(1)
        last = outputs[torch.arange(len(x), device=x.device), (lengths - 1).clamp(min=0)]
        last = torch.where(lengths.unsqueeze(1) > 0, last, initial[0][0])
        return outputs, (last, cell[0])

    def _hold(self, weight: Tensor) -> Tensor:
        zeros = weight.new_zeros(self.hidden_size, 1)
        return torch.cat([zeros - STUCK, zeros + STUCK, zeros, zeros])
