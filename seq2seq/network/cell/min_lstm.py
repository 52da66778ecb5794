"""minLSTM (Feng et al. 2024): an LSTM whose gates and candidate see the input only."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from seq2seq.network.cell.initial import gate_bias, input_matrix
from seq2seq.network.cell.scanned import Scanned, Sums


class MinLSTM(Scanned):
    """Forget and input gates are normalised to sum 1.

        f, i = sigmoid(W x + b), each with its own W, b
        n  = W_n x + b_n
        h' = f / (f + i) * h + i / (f + i) * n

    The share f / (f + i) is computed as sigmoid(log f - log i), without a division. State: `h`. Gate order: f, i, n.
    `forget_bias`: initial b_f.
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = input_matrix(3, hidden_size, input_size)
        self.bias = gate_bias(forget_bias, 0.0, 0.0, size=hidden_size)

    def coefficients(self, sums: Sums) -> tuple[Float[Tensor, "*shape hidden"], Float[Tensor, "*shape hidden"]]:
        forget, update, candidate = sums
        balance = F.logsigmoid(forget) - F.logsigmoid(update)
        return torch.sigmoid(balance), torch.sigmoid(-balance) * candidate
