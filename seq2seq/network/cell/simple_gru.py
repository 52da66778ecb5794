"""The simplified gated recurrent unit of the course notes: an update gate and no reset gate."""

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.network.cell.recurrence import Recurrence
from seq2seq.network.layers import tanh
from seq2seq.network.state import State


class SimpleGRU(Recurrence):
    """What the gate does not update stays (Ng 2018, "GRU (simplified)").

        z  = sigmoid(W_z x + U_z h + b_z)          the notes' update gate: 1 writes, 0 remembers
        n  = tanh(W_n x + U_n h + b_n)
        h' = z * n + (1 - z) * h

    Here z = 1 writes, as in the notes; in `gru` and `cho_gru` z = 1 keeps, as in torch. State: `h`. Gates lie in the
    order z, n.
    """

    def __init__(self, input_size: int, hidden_size: int, weight_dropout: float, state_dropout: float) -> None:
        super().__init__(input_size, hidden_size, (0.0, 0.0), weight_dropout, state_dropout)

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self.zeros(shape)

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        assert isinstance(state, Tensor)
        update, candidate = (projected + self.past(state, masks)).chunk(2, dim=-1)
        hidden = state + torch.sigmoid(update) * (tanh(candidate) - state)
        return hidden, hidden
