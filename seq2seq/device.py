"""What the hardware offers: the only place that asks."""

import ctypes
import functools
import os
import warnings
from contextlib import AbstractContextManager
from typing import Literal

import torch

from seq2seq.errors import ConfigError

Format = Literal["fp32", "bf16", "int8"]
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # the names of these settings in malloc.h


def default_device() -> torch.device:
    """The GPU if there is one, else the CPU. Each local rank of torchrun has its own GPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def formats(device: torch.device | None = None) -> tuple[Format, ...]:
    """The number formats that this device multiplies: fp32 always; bf16 and int8 where a small product shows it."""
    device = device or default_device()
    bf16 = _gpu_has_bf16() if device.type == "cuda" else _cpu_has_bf16()
    int8 = device.type == "cpu" and packs() and _cpu_has_int8()
    return ("fp32", *(("bf16",) if bf16 else ()), *(("int8",) if int8 else ()))


def precision(name: str, device: torch.device | None = None, key: str = "precision") -> torch.dtype:
    """The number format of the large products: `auto` is bf16 where the hardware multiplies it fast, else fp32.

    Warns where bf16 is emulated, which is slower than fp32. Raises ConfigError, naming the `key`, for any other name
    than auto, fp32 and bf16, and for bf16 on a device that does not multiply it.
    """
    if name not in ("auto", "fp32", "bf16"):
        raise ConfigError(f"{key}: expected auto, fp32 or bf16, got {name!r}")
    device = device or default_device()
    fast = name != "fp32" and _multiplies_bf16_fast(device) and "bf16" in formats(device)
    if name == "bf16" and not fast:
        _require("bf16", device, key)
        warnings.warn(
            f"{key}: bf16 is emulated on {_described(device)}, slower than fp32: {key}=auto takes the fastest format",
            stacklevel=2,
        )
    return torch.bfloat16 if name == "bf16" or fast else torch.float32


def products(name: str, device: torch.device, key: str = "precision") -> Format:
    """The number format of a search's products: int8 where asked for, else that of `precision`. Raises ConfigError."""
    if name == "int8":
        _require("int8", device, key)
        return "int8"
    if name not in ("auto", "fp32", "bf16"):
        raise ConfigError(f"{key}: expected auto, fp32, bf16 or int8, got {name!r}")
    return "fp32" if precision(name, device, key) == torch.float32 else "bf16"


def packs() -> bool:
    """Whether oneDNN multiplies packed matrices here: it was tried on x86 with AVX2 or more."""
    return torch._C._has_mkldnn and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def autocast(dtype: torch.dtype, device: torch.device | None = None) -> AbstractContextManager[object]:
    """Large products in `dtype`, sums and normalisations in fp32; changes nothing for fp32.

    Raises ConfigError for bf16 on a device that does not multiply it, before a kernel fails inside a network.
    """
    device = device or default_device()
    if dtype == torch.bfloat16:
        _require("bf16", device, "precision")
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the device had no room for a tensor: torch has a class for it on a GPU, but only a text on a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def release_memory() -> None:
    """Give what is kept for later tensors back, to the GPU and to the system: pieces become too small to use."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if libc := _libc():
        libc.malloc_trim(0)


def tune_memory() -> None:
    """Configures the allocator and oneDNN for training on a CPU; call it before the first product.

    See `keep_memory`. Kernels are cached for 256 shapes of batches instead of oneDNN's 1,024.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
    keep_memory()


def tune_search() -> None:
    """The same for search, whose products have other numbers of rows at every step; before the first of them.

    Few prepared products are kept, because each lies in the way of everything else: after 12,000 lines a process held
    0.43 GB, flat, with 128 and 32 of them and `release_memory` now and then, and 0.68 GB, rising, with 256 and 64 and
    without it, for the same processor time; with 1,024 it held 1.1 GB.
    """
    os.environ.setdefault("LRU_CACHE_CAPACITY", "32")  # of ideep, a layer between torch and oneDNN
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    keep_memory()


def tune_reading() -> None:
    """The same for texts that are read once, in batches of many different shapes; call it before the first product.

    Scoring some thousand pairs took 0.6 GB; with the usual 1,024 kernels 0.9 GB, and rising: kernels for shapes that do
    not occur again also fragment memory.
    """
    for name in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(name, "16")
    keep_memory()


def keep_memory() -> None:
    """Freed tensors are kept for the next update, or step of a search (glibc only).

    Returned to the system, every large one costs fresh zeroed pages, about a tenth of an update.
    """
    if libc := _libc():
        libc.mallopt(_MMAP_THRESHOLD, 1 << 30)
        libc.mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def _require(name: Format, device: torch.device, key: str) -> None:
    """Raises ConfigError where the device does not multiply in this format."""
    if name not in (known := formats(device)):
        raise ConfigError(
            f"{key}: {name} is not available on {_described(device)}, which multiplies in {' and '.join(known)}: "
            f"choose {key}=auto, which takes the fastest format there is, or {key}=fp32"
        )


def _described(device: torch.device) -> str:
    if device.type == "cuda":
        return f"this GPU ({torch.cuda.get_device_name(device)})"
    return f"this CPU ({torch.backends.cpu.get_cpu_capability()})"


def _multiplies_bf16_fast(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return _onednn_has_bf16() and torch.cpu._is_avx512_bf16_supported()


def _gpu_has_bf16() -> bool:
    return torch.cuda.is_bf16_supported(including_emulation=True)


def _onednn_has_bf16() -> bool:
    return torch._C._has_mkldnn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@functools.cache
@torch.inference_mode(False)
def _cpu_has_bf16() -> bool:
    """Whether an LSTM can be trained in bf16 and a matrix packed; not every processor has kernels for both."""
    x, initial = torch.zeros(1, 2, 8), [torch.zeros(1, 1, 8)] * 2
    weights = [torch.zeros(size, requires_grad=True) for size in ((32, 8), (32, 8), (32,), (32,))]
    try:
        with torch.enable_grad(), torch.autocast("cpu", torch.bfloat16):
            outputs, *_ = torch.lstm(x, initial, weights, True, 1, 0.0, True, False, True)
            torch.autograd.grad(outputs.sum(), weights)
        if packs():
            torch.ops.mkldnn._reorder_linear_weight(weights[0].detach().bfloat16(), None)
    except RuntimeError:
        return False
    return True


@functools.cache
def _cpu_has_int8() -> bool:
    """Whether products of bytes are exact: without VNNI, pairs of them are added in 16 bits, which overflow."""
    return all(_int8_is_exact(rows, inner) for rows, inner in ((1, 64), (5, 64), (80, 512)))


def _int8_is_exact(rows: int, inner: int) -> bool:
    weight = torch.full((64, inner), 127, dtype=torch.int8)
    largest = torch.full((rows, inner), 255, dtype=torch.uint8)
    scales, zeros = torch.ones(64), torch.zeros(64, dtype=torch.long)
    try:
        packed = torch.ops.onednn.qlinear_prepack(weight, None)
        result = torch.ops.onednn.qlinear_pointwise(
            largest, 1.0, 0, packed, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
    except RuntimeError:
        return False
    return bool((result == 255 * 127 * inner).all())


def _libc() -> ctypes.CDLL | None:
    """glibc, where that is what a program runs on."""
    try:
        return ctypes.CDLL("libc.so.6")
    except OSError:
        return None
