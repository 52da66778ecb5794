"""An LSTM layer whose matrices are laid out for oneDNN's kernel once instead of at every call."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

LSTM = 2  # among the recurrent kernels, as torch numbers them


def laid_out(
    weight: Float[Tensor, "gates input"], recurrent: Float[Tensor, "gates hidden"], dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Both matrices as the kernel wants them."""
    given = weight.to(dtype), recurrent.to(dtype), recurrent.shape[1]
    first, second = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight(*given, False, True, True, None)
    return first, second


def lstm(
    x: Float[Tensor, "batch time input"],
    initial: Sequence[Float[Tensor, "1 batch hidden"]],
    matrices: tuple[Tensor, Tensor],
    biases: Sequence[Float[Tensor, " gates"]],
    dtype: torch.dtype,
) -> tuple[Float[Tensor, "batch time hidden"], Float[Tensor, "1 batch hidden"], Float[Tensor, "1 batch hidden"]]:
    """What torch.lstm makes of one layer, in `dtype`; `matrices` are `laid_out`."""
    # without copies the kernel reads on as if there were no gaps
    hidden, cell = (one.to(dtype).contiguous() for one in initial)
    steps = x.to(dtype).transpose(0, 1).contiguous()
    outputs, hidden, cell, _ = torch.ops.aten.mkldnn_rnn_layer(
        steps, *matrices, *biases, hidden, cell, False, [], LSTM, hidden.shape[2], 1, True, False, False, False
    )
    return outputs.transpose(0, 1), hidden, cell
