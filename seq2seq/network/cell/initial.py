"""How the weights of gates start: each gate's matrix is drawn by itself."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def gate_matrix(gates: int, rows: int, columns: int, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """`gates` matrices of `rows` x `columns`, drawn one by one and stacked: each is orthogonal or scaled by itself."""
    stacked = torch.empty(gates * rows, columns)
    for gate in stacked.chunk(gates):
        draw(gate)
    return stacked


def input_matrix(gates: int, rows: int, columns: int) -> nn.Parameter | None:
    """The input's matrices, Xavier (Glorot & Bengio 2010); None where there is no input (`columns` is 0)."""
    return nn.Parameter(gate_matrix(gates, rows, columns, nn.init.xavier_uniform_)) if columns else None


def gate_bias(*starts: float, size: int) -> nn.Parameter:
    """One vector of biases; `starts`: the initial value of each gate's biases."""
    return nn.Parameter(torch.cat([torch.full((size,), start) for start in starts]))
