"""The plain recurrent network (Elman 1990), and with ReLU the IRNN (Le et al. 2015)."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.cell.recurrence import Fused, last_real
from seq2seq.network.layers import tanh
from seq2seq.network.state import State

SMALL = 0.001  # deviation of the entries of W where the state only ever adds up (Le et al. 2015)


class RNN(Fused):
    """The past and the input in one sum.

        h' = g(W x + U h + b)        g = tanh or ReLU

    State: `h`. U starts orthogonal with tanh. With ReLU it starts as the identity, b as 0 and W small (Le et al. 2015):
    the state stays, and so does its gradient, until taught otherwise; and as nothing in it ever shrinks, a W of the
    usual size would let it grow from step to step.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        activation: Literal["tanh", "relu"],
        weight_dropout: float,
        state_dropout: float,
    ) -> None:
        super().__init__(input_size, hidden_size, (0.0,), weight_dropout, state_dropout)
        if activation not in ("tanh", "relu"):
            raise ConfigError(f"cell.activation: expected tanh or relu, got {activation!r}")
        self.activation = tanh if activation == "tanh" else torch.relu
        self.fused = torch.rnn_tanh if activation == "tanh" else torch.rnn_relu
        self.no_bias: Tensor  # the kernel requires a second one
        self.register_buffer("no_bias", torch.zeros(hidden_size), persistent=False)
        if activation == "relu":
            nn.init.eye_(self.recurrent)
            if self.weight is not None:
                nn.init.normal_(self.weight, std=SMALL)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape)

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        assert isinstance(state, Tensor)
        hidden = self.activation(projected + self.past(state, masks))
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
        weights = [weight, recurrent, self.bias, self.no_bias]
        initial = state.to(x.dtype).unsqueeze(0)
        outputs, hidden = self.fused(x, initial, weights, True, 1, 0.0, self.training, False, True)
        if mask is None:
            return outputs, hidden[0]
        return outputs.masked_fill(~mask.unsqueeze(-1), 0), last_real(outputs, mask, state)
