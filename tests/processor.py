"""A processor of another kind: number formats that oneDNN has no kernels for here, computed by plain torch.

So the laws of bf16 and int8 hold on every machine: what is rounded where, scales, zero points, neighbours.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import has_torch_function

from seq2seq import device
from seq2seq.device import Format
from seq2seq.network.inference.packed import Packed

CPU = torch.device("cpu")


@contextmanager
def processor(*formats: Format) -> Iterator[None]:
    """Inside, this machine packs and multiplies in `formats`, by its own kernels where it has them."""
    lacking = set(formats) - set(device.formats(CPU) if device.packs() else ())
    with pytest.MonkeyPatch.context() as patch:
        if not device.packs():
            patch.setattr(torch._C, "_has_mkldnn", True)
            patch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
        patch.setattr(device, "_cpu_has_bf16", lambda: "bf16" in formats)
        patch.setattr(device, "_cpu_has_int8", lambda: "int8" in formats)
        patch.setattr(device, "_multiplies_bf16_fast", lambda device: "bf16" in formats)
        emulate(patch, lacking)
        yield


def emulate(patch: pytest.MonkeyPatch, formats: set[Format]) -> None:
    """Puts plain torch in the place of oneDNN's kernels for packed matrices in these formats."""
    if formats & {"fp32", "bf16"}:
        patch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", lambda weight, rows: weight.clone(), raising=False)
        patch.setattr(torch.ops.mkldnn, "_linear_pointwise", linear, raising=False)
        patch.setattr(
            torch.ops.mkldnn, "_reorder_mkldnn_rnn_layer_weight", lambda one, other, *rest: (one, other), raising=False
        )
        patch.setattr(torch.ops.aten, "mkldnn_rnn_layer", layer, raising=False)
        patch.setattr(torch, "lstm", rounded_lstm(torch.lstm))
    if "int8" in formats:
        patch.setattr(torch.ops.onednn, "qlinear_prepack", lambda values, shape: values.clone(), raising=False)
        patch.setattr(torch.ops.onednn, "qlinear_pointwise", whole_numbers, raising=False)


def rounded_lstm(own: Callable[..., Any]) -> Callable[..., Any]:
    """torch.lstm, its `own` or in bf16 where autocast says so; gradients pass through the rounding."""

    def lstm(*args: Any, **named: Any) -> Any:
        weights = named["params"] if named else args[2]
        if isinstance(weights, list | tuple) and has_torch_function(tuple(weights)):
            return Packed.__torch_function__(torch.lstm, (Packed,), args, named)
        if named or not torch.is_autocast_enabled("cpu"):
            return own(*args, **named)
        x, initial, weights, *rest = args
        dtype = torch.get_autocast_dtype("cpu")
        with torch.autocast("cpu", enabled=False):
            given = [[one.to(dtype).float() for one in group] for group in ([x], initial, weights)]
            return tuple(one.to(dtype) for one in own(given[0][0], *given[1:], *rest))

    return lstm


@torch.no_grad()
def linear(x: Tensor, weight: Tensor, bias: Tensor | None, *rest: object) -> Tensor:
    """Sums in fp32, the result in the number format of `x`."""
    assert x.dtype == weight.dtype and (bias is None or bias.dtype == x.dtype)
    with torch.autocast("cpu", enabled=False):
        return F.linear(x.float(), weight.float(), None if bias is None else bias.float()).to(x.dtype)


@torch.no_grad()
def layer(x: Tensor, weight: Tensor, recurrent: Tensor, *rest: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One LSTM layer, time first."""
    bias, second, hidden, cell = rest[:4]
    with torch.autocast("cpu", enabled=False):
        given = [one.float() for one in (weight, recurrent, bias, second)]
        found = torch.lstm(x.float(), [hidden.float(), cell.float()], given, True, 1, 0.0, False, False, False)
    outputs, hidden, cell = (one.to(x.dtype) for one in found)
    return outputs, hidden, cell, outputs


def whole_numbers(
    x: Tensor,
    step: float,
    zero: int,
    values: Tensor,
    scales: Tensor,
    zeros: Tensor,
    bias: Tensor | None,
    output_scale: float,
    output_zero: int,
    dtype: torch.dtype,
    *rest: object,
) -> Tensor:
    """Unsigned bytes times signed ones, exactly."""
    assert x.dtype == torch.uint8 and values.dtype == torch.int8 and not zeros.any()
    assert (output_scale, output_zero) == (1.0, 0)
    sums = (x.double() - zero) @ values.double().T  # below 2^53, so exact
    found = (sums * step * scales.double()).float()
    return (found if bias is None else found + bias.float()).to(dtype)
