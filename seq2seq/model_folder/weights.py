"""model.safetensors: the weights of a model folder, in one of three number formats; in memory they are fp32.

fp32   every tensor; the file is memory-mapped, and processes that read it share its pages
bf16   matrices in half the space
int8   matrices as integers in a quarter of the space, and `NAME.scales` (fp32), one a row

Vectors and narrow matrices are fp32 in all of them.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int8
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from seq2seq.errors import ModelError

LARGEST = 127
Precision = Literal["fp32", "bf16", "int8"]
NARROW: Mapping[str, torch.dtype] = {"bf16": torch.bfloat16, "int8": torch.int8}
SCALES = ".scales"  # what is added to a matrix's name
NARROWEST = 8  # rows and columns of a matrix: a scale costs as much as four of its row's numbers
LONGEST_HEADER = 8 << 20  # bytes; a thousand tensors need 0.1 million


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
    """The fp32 matrix of these integers and scales."""
    return values.float().mul_(scales.unsqueeze(1))


def write_weights(path: Path, weights: Mapping[str, Tensor], precision: Precision) -> None:
    """Writes a file whose bytes depend on nothing but names, numbers and precision. Raises OSError."""
    stored = {}
    for name, tensor in weights.items():
        tensor = tensor.detach().cpu().contiguous()
        if precision == "fp32" or not _is_matrix(tensor):
            stored[name] = tensor
        elif precision == "bf16":
            stored[name] = tensor.bfloat16()
        else:
            assert name + SCALES not in weights, name
            stored[name], stored[name + SCALES] = quantise(tensor)
    save_file(stored, path)


def read_weights(path: Path, precision: str) -> dict[str, Tensor]:
    """Every tensor under its name. Raises ModelError for a file that is damaged or of another precision."""
    stored = _stored(path)
    if precision == "fp32":
        _check_finite(stored, path)
        return stored
    read = {}
    for name, tensor in stored.items():
        if name.endswith(SCALES) and name.removesuffix(SCALES) in stored:
            continue
        if _is_matrix(tensor) != (tensor.dtype == NARROW[precision]):
            expected = precision if _is_matrix(tensor) else "fp32"
            raise ModelError(f"{path}: {name}: expected {expected}, got {tensor.dtype}; copy the folder again")
        scales = stored.get(name + SCALES)
        if tensor.dtype == torch.int8:
            read[name] = dequantise(tensor, _checked_scales(name, tensor, scales, path))
        elif scales is not None:
            raise ModelError(f"{path}: {name}: has scales without being int8; copy the folder again")
        else:
            read[name] = tensor.float() if _is_matrix(tensor) else tensor
    _check_finite(read, path)
    return read


def _stored(path: Path) -> dict[str, Tensor]:
    """What the file holds, mapped. Raises ModelError."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
        if len(start) == 8 and struct.unpack("<Q", start)[0] > LONGEST_HEADER:
            raise OSError(f"its header claims more than {LONGEST_HEADER:,} bytes")
        return load_file(path)
    except (OSError, SafetensorError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; copy the folder again") from error


def _is_matrix(tensor: Tensor) -> bool:
    return tensor.ndim == 2 and min(tensor.shape) >= NARROWEST and tensor.dtype in (torch.float32, *NARROW.values())


def _checked_scales(name: str, values: Tensor, scales: Tensor | None, path: Path) -> Tensor:
    """The scales of a matrix, which must be what `quantise` could have made; so must `values`. Raises ModelError."""
    where = f"{path}: {name}{SCALES}"
    if scales is None:
        raise ModelError(f"{where}: is missing; copy the folder again")
    if scales.shape != values.shape[:1] or scales.dtype != torch.float32:
        raise ModelError(
            f"{where}: expected {len(values)} numbers of fp32, one a row, got "
            f"{tuple(scales.shape)} of {scales.dtype}; copy the folder again"
        )
    if not (torch.isfinite(scales) & (scales > 0)).all():
        raise ModelError(f"{where}: expected positive finite numbers only; copy the folder again")
    if (values < -LARGEST).any():
        raise ModelError(f"{path}: {name}: expected whole numbers of at least {-LARGEST}; copy the folder again")
    return scales


def _check_finite(weights: Mapping[str, Tensor], path: Path) -> None:
    """Raises ModelError for numbers that no computation survives."""
    for name, tensor in weights.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
            raise ModelError(f"{path}: {name}: holds numbers that are not finite; no translation can come of it")


@contextmanager
def open_sidecar(path: Path, advice: str) -> Iterator[Any]:
    """An open safetensors file of numpy arrays. Errors inside the block become ModelErrors with `advice`."""
    try:
        if not path.is_file():
            raise OSError("it is no file")
        with safe_open(path, "np") as file:
            yield file
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: cannot be read: {error}; {advice}") from error
