"""minGRU (Feng et al. 2024): a GRU whose gate and candidate see the input only."""

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.network.cell.initial import gate_bias, input_matrix
from seq2seq.network.cell.scanned import Scanned, Sums


class MinGRU(Scanned):
    """What the gate does not update stays.

        z  = sigmoid(W_z x + b_z)
        n  = W_n x + b_n
        h' = (1 - z) * h + z * n

    The paper's first form, without its log-space detour: that computes the same recurrence with exponentials and needs
    a positive candidate for it. State: `h`. Gates lie in the order z, n. `update_bias`: where b_z starts.
    """

    def __init__(self, input_size: int, hidden_size: int, update_bias: float) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = input_matrix(2, hidden_size, input_size)
        self.bias = gate_bias(update_bias, 0.0, size=hidden_size)

    def coefficients(self, sums: Sums) -> tuple[Float[Tensor, "*shape hidden"], Float[Tensor, "*shape hidden"]]:
        update, candidate = sums
        return torch.sigmoid(-update), torch.sigmoid(update) * candidate
