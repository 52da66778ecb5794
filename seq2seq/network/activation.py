"""tanh for search: where nobody asks for gradients, by a cheaper road."""

import torch
from jaxtyping import Float
from torch import Tensor

LARGE = 4096  # numbers from which the other road is shorter


def tanh(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """tanh(x); without gradients 2 sigmoid(2x) - 1 in fp32, off by at most 2e-7.

    On CPUs torch's tanh takes six times as long as its sigmoid, and was a tenth of a translation's time.
    """
    if torch.is_grad_enabled() or x.is_cuda or x.numel() < LARGE:
        return torch.tanh(x)
    return torch.add(x.new_full((), -1, dtype=torch.float32), (x.float() * 2).sigmoid_(), alpha=2).to(x.dtype)
