"""How the weights of gates start: each gate's matrix is drawn by itself."""

from collections.abc import Callable

import torch
from torch import Tensor


def gate_matrix(gates: int, rows: int, columns: int, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """`gates` matrices of `rows` x `columns`, drawn one by one and stacked: each is orthogonal or scaled by itself."""
    return torch.cat([draw(torch.empty(rows, columns)) for _ in range(gates)])
