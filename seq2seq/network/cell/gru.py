"""Gated recurrent unit (Cho et al. 2014), with the reset gate after the product as fused kernels compute it."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.network.cell.recurrence import Fused
from seq2seq.network.layers import tanh
from seq2seq.network.state import State

STUCK = 1e4  # a sum inside the update gate that holds it at exactly 1


class GRU(Fused):
    """One state, mixed from the old one and a candidate.

        r, z = sigmoid(W x + U h + b), each with its own W, U, b
        n  = tanh(W_n x + b_n + r * (U_n h + b_u))
        h' = (1 - z) * n + z * h

    Cho's unit resets before the product (`cell=cho_gru`); this one does so after it, which needs b_u, and is what torch
    and cuDNN compute in one kernel. State: `h`. Gate order: torch's r, z, n.
    """

    def __init__(self, input_size: int, hidden_size: int, weight_dropout: float, state_dropout: float) -> None:
        super().__init__(input_size, hidden_size, (0.0, 0.0, 0.0), weight_dropout, state_dropout)
        self.candidate_bias = nn.Parameter(torch.zeros(hidden_size))

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape)

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        assert isinstance(state, Tensor)
        reset, update, candidate = projected.chunk(3, dim=-1)
        past_reset, past_update, past_candidate = self.past(state, masks).chunk(3, dim=-1)
        update = torch.sigmoid(update + past_update)
        candidate = tanh(candidate + torch.sigmoid(reset + past_reset) * (past_candidate + self.candidate_bias))
        hidden = candidate + update * (state - candidate)
        return hidden, hidden

    def kernel(
        self,
        x: Float[Tensor, "batch time input"],
        mask: Bool[Tensor, "batch time"] | None,
        state: State,
        weight: Float[Tensor, "gates input"],
        recurrent: Float[Tensor, "gates hidden"],
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        assert isinstance(state, Tensor)
        if mask is not None:  # an input that is 1 on padding sets the update gate to 1: the state does not change
            x = torch.cat([x, (~mask).to(x.dtype).unsqueeze(-1)], dim=-1)
            zeros = weight.new_zeros(self.hidden_size, 1)
            weight = torch.cat([weight, torch.cat([zeros, zeros + STUCK, zeros])], dim=1)
        weights = [weight, recurrent, self.bias, F.pad(self.candidate_bias, (2 * self.hidden_size, 0))]
        initial = state.to(x.dtype).unsqueeze(0)
        outputs, hidden = torch.gru(x, initial, weights, True, 1, 0.0, self.training, False, True)
        if mask is not None:
            outputs = outputs.masked_fill(~mask.unsqueeze(-1), 0)
        return outputs, hidden[0]
