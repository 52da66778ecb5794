"""sLSTM, the scalar memory of xLSTM (Beck et al. 2024): exponential gates, normalised and stabilised."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from seq2seq.errors import ConfigError
from seq2seq.network.cell.base import widened
from seq2seq.network.cell.recurrence import Recurrence
from seq2seq.network.layers import tanh
from seq2seq.network.state import State

TINY = 1e-30  # keeps 0 / 0 away where every gate has underflowed


class SLSTM(Recurrence):
    """An LSTM whose input gate may be as large as it likes, because the cell state is divided by what was written.

        i~, f~, z~, o~ = W x + U h + b
        log i = i~        log f = log sigmoid(f~), or f~ with `forget: exp`
        m' = max(log f + m, log i)                                the stabiliser: a scale common to c and n
        c' = exp(log f + m - m') * c + exp(log i - m') * tanh(z~)
        n' = exp(log f + m - m') * n + exp(log i - m')            the normaliser
        h' = sigmoid(o~) * c' / n'

    (equations 8 to 17). State: `(h, c, n, m)`, all zero at first. From there |c| <= n always holds, so dividing by the
    larger of the two changes nothing; but it keeps |c / n| <= 1 for a state that a bridge filled, too. All of it is in
    fp32 but the products. The paper cuts U into heads; here it is whole. Gates lie in the order i, f, z, o.
    `forget_bias`: where b_f starts.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        forget: Literal["sigmoid", "exp"],
        forget_bias: float,
        weight_dropout: float,
        state_dropout: float,
    ) -> None:
        super().__init__(input_size, hidden_size, (0.0, forget_bias, 0.0, 0.0), weight_dropout, state_dropout)
        if forget not in ("sigmoid", "exp"):
            raise ConfigError(f"cell.forget: expected sigmoid or exp, got {forget!r}")
        self.forget = forget

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return tuple(self.zeros(shape) for _ in range(4))

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        hidden, cell, normaliser, scale = state
        assert isinstance(hidden, Tensor) and isinstance(cell, Tensor)
        i, f, z, o = widened(projected + self.past(hidden, masks)).chunk(4, dim=-1)
        kept = (F.logsigmoid(f) if self.forget == "sigmoid" else f) + scale
        scale = torch.maximum(kept, i).detach()  # it cancels in c / n, so no gradient comes through it
        keep, write = torch.exp(kept - scale), torch.exp(i - scale)
        cell = keep * cell + write * tanh(z)
        normaliser = keep * normaliser + write
        excess = torch.relu(cell.abs() - normaliser)  # the larger of two, with a gradient faster than maximum's
        hidden = torch.sigmoid(o) * cell / (normaliser + excess + TINY)
        return hidden, (hidden, cell, normaliser, scale)
