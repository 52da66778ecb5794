"""Gated recurrent unit (Cho et al. 2014), with the reset gate after the product as fused kernels compute it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.network.cell.base import Cell
from seq2seq.network.cell.initial import gate_matrix
from seq2seq.network.state import State

STUCK = 1e4  # a sum inside the update gate that holds it at exactly 1


class GRU(Cell):
    """One state, mixed from the old one and a candidate.

        r, z = sigmoid(W x + U h + b), each with its own W, U, b
        n  = tanh(W_n x + b_n + r * (U_n h + b_u))
        h' = (1 - z) * n + z * h

    State: `h`. Gates lie in torch's order r, z, n.
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = nn.Parameter(gate_matrix(3, hidden_size, input_size, nn.init.xavier_uniform_))
        self.recurrent = nn.Parameter(gate_matrix(3, hidden_size, hidden_size, nn.init.orthogonal_))
        self.bias = nn.Parameter(torch.zeros(3 * hidden_size))
        self.candidate_bias = nn.Parameter(torch.zeros(hidden_size))

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape)

    def project(self, x: Float[Tensor, "*shape input"]) -> Float[Tensor, "*shape gates"]:
        return F.linear(x, self.weight, self.bias)

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, drawn: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        assert isinstance(state, Tensor)
        reset, update, candidate = projected.chunk(3, dim=-1)
        past_reset, past_update, past_candidate = F.linear(state, self.recurrent, self._recurrent_bias()).chunk(
            3, dim=-1
        )
        update = torch.sigmoid(update + past_update)
        candidate = torch.tanh(candidate + torch.sigmoid(reset + past_reset) * past_candidate)
        hidden = candidate + update * (state - candidate)
        return hidden, hidden

    def forward(
        self, x: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"] | None, state: State
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        """All steps in one fused kernel."""
        assert isinstance(state, Tensor)
        weight: Tensor = self.weight
        if mask is not None:  # an input that is 1 on padding holds the update gate at 1: the state stands still
            x = torch.cat([x, (~mask).to(x.dtype).unsqueeze(-1)], dim=-1)
            zeros = weight.new_zeros(self.hidden_size, 1)
            weight = torch.cat([weight, torch.cat([zeros, zeros + STUCK, zeros])], dim=1)
        weights = [weight, self.recurrent, self.bias, self._recurrent_bias()]
        initial = state.to(x.dtype).unsqueeze(0)
        outputs, hidden = torch.gru(x, initial, weights, True, 1, 0.0, self.training, False, True)
        if mask is not None:
            outputs = outputs.masked_fill(~mask.unsqueeze(-1), 0)
        return outputs, hidden[0]

    def _recurrent_bias(self) -> Tensor:
        return F.pad(self.candidate_bias, (2 * self.hidden_size, 0))
