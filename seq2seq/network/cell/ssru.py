"""Simpler simple recurrent unit (Kim et al. 2019): the recurrence of fast translators."""

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.network.cell.initial import gate_bias, input_matrix
from seq2seq.network.cell.scanned import Scanned, Sums


class SSRU(Scanned):
    """An SRU without reset gate and highway.

        f  = sigmoid(W_f x + b_f)
        c' = f * c + (1 - f) * (W x + b)
        h  = ReLU(c')

    State: `c`. Gates lie in the order f, c; b is ours, the paper has none. `forget_bias`: where b_f starts.
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = input_matrix(2, hidden_size, input_size)
        self.bias = gate_bias(forget_bias, 0.0, size=hidden_size)

    def coefficients(self, sums: Sums) -> tuple[Float[Tensor, "*shape hidden"], Float[Tensor, "*shape hidden"]]:
        forget, value = sums
        keep = torch.sigmoid(forget)
        return keep, torch.addcmul(value, keep, value, value=-1)

    def read(self, hidden: Float[Tensor, "*shape hidden"], sums: Sums) -> Float[Tensor, "*shape hidden"]:
        return torch.relu(hidden)
