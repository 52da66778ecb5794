"""Simple recurrent unit (Lei et al. 2018), in the form that is parallel over time."""

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.network.cell.initial import gate_bias, input_matrix
from seq2seq.network.cell.scanned import Scanned, Sums


class SRU(Scanned):
    """A light recurrence with a highway around it.

        f  = sigmoid(W_f x + b_f)
        r  = sigmoid(W_r x + b_r)
        c' = f * c + (1 - f) * (W x + b)
        h  = r * c' + (1 - r) * (W_x x + b_x)

    The paper's gates also see v * c (its equations for f and r); without these peepholes, as in its first version, no
    gate waits for the past. The paper has W_x only where sizes differ and carries x itself elsewhere; inside residual
    layers, which carry it already, that learns far slower. Its factor on the highway, which keeps the variance of a
    stack without residuals, is left out. b and b_x are ours. State: `c`. Gates lie in the order f,
    r, c, x. `forget_bias`, `highway_bias`: where b_f and b_r start.
    """

    def __init__(self, input_size: int, hidden_size: int, forget_bias: float, highway_bias: float) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = input_matrix(4, hidden_size, input_size)
        self.bias = gate_bias(forget_bias, highway_bias, 0.0, 0.0, size=hidden_size)

    def coefficients(self, sums: Sums) -> tuple[Float[Tensor, "*shape hidden"], Float[Tensor, "*shape hidden"]]:
        forget, _, value, _ = sums
        keep = torch.sigmoid(forget)
        return keep, torch.addcmul(value, keep, value, value=-1)

    def read(self, hidden: Float[Tensor, "*shape hidden"], sums: Sums) -> Float[Tensor, "*shape hidden"]:
        _, reset, _, highway = sums
        return torch.lerp(highway, hidden, torch.sigmoid(reset))
