"""Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from seq2seq.network.cell.recurrence import Fused, last_real
from seq2seq.network.layers import tanh
from seq2seq.network.state import State

STUCK = 1e4  # a sum inside a gate that holds it at exactly 0 (negative) or 1


class LSTM(Fused):
    """Long short-term memory: gates decide what the cell state keeps.

        i, f, o = sigmoid(W x + U h + b), each with its own W, U, b
        g  = tanh(W_g x + U_g h + b_g)
        c' = f * c + i * g
        h' = o * tanh(c')

    State: `(h, c)`. Gate order: torch's i, f, g, o. `forget_bias`: initial b_f (Jozefowicz et al. 2015: 1).
    """

    def __init__(
        self, input_size: int, hidden_size: int, forget_bias: float, weight_dropout: float, state_dropout: float
    ) -> None:
        super().__init__(input_size, hidden_size, (0.0, forget_bias, 0.0, 0.0), weight_dropout, state_dropout)
        self.no_bias: Tensor  # the kernel requires a second one
        self.register_buffer("no_bias", torch.zeros(4 * hidden_size), persistent=False)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape), self.zeros(shape)

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        hidden, cell = state
        assert isinstance(hidden, Tensor) and isinstance(cell, Tensor)
        i, f, g, o = (projected + self.past(hidden, masks)).chunk(4, dim=-1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * tanh(g)
        hidden = torch.sigmoid(o) * tanh(cell)
        return hidden, (hidden, cell)

    def kernel(
        self,
        x: Float[Tensor, "batch time input"],
        mask: Bool[Tensor, "batch time"] | None,
        state: State,
        weight: Float[Tensor, "gates input"],
        recurrent: Float[Tensor, "gates hidden"],
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        if mask is not None:  # an input that is 1 on padding holds the forget gate at 1 and the input gate at 0
            x = torch.cat([x, (~mask).to(x.dtype).unsqueeze(-1)], dim=-1)
            weight = torch.cat([weight, self._hold(weight)], dim=1)
        initial = [tensor.to(x.dtype).unsqueeze(0) for tensor in state if isinstance(tensor, Tensor)]
        weights = [weight, recurrent, self.bias, self.no_bias]
        outputs, hidden, cell = torch.lstm(x, initial, weights, True, 1, 0.0, self.training, False, True)
        if mask is None:
            return outputs, (hidden[0], cell[0])
        outputs = outputs.masked_fill(~mask.unsqueeze(-1), 0)
        return outputs, (last_real(outputs, mask, initial[0][0]), cell[0])

    def _hold(self, weight: Tensor) -> Tensor:
        zeros = weight.new_zeros(self.hidden_size, 1)
        return torch.cat([zeros - STUCK, zeros + STUCK, zeros, zeros])
