"""Matrices as whole numbers from -127 to 127 with a scale a row: a quarter of the memory, and fast products."""

import torch
from jaxtyping import Float, Int8
from torch import Tensor

LARGEST = 127


def quantise(weight: Float[Tensor, "out in"]) -> tuple[Int8[Tensor, "out in"], Float[Tensor, " out"]]:
    """The nearest whole numbers and the scales (fp32) of the rows: `values * scales[:, None]` is about `weight`.

    The largest number of every row becomes 127 or -127, so that quantising twice changes nothing more. A row of zeros
    has scale 1.
    """
    wide = weight.float()
    scales = wide.abs().amax(1) / LARGEST
    scales = torch.where(scales > 0, scales, torch.ones_like(scales))
    return (wide / scales.unsqueeze(1)).round().clamp(-LARGEST, LARGEST).to(torch.int8), scales


def dequantise(values: Int8[Tensor, "out in"], scales: Float[Tensor, " out"]) -> Float[Tensor, "out in"]:
    """The matrix (fp32) that these stand for."""
    return values.float().mul_(scales.unsqueeze(1))
