"""What the hardware offers: the only place that asks."""

import ctypes
import os
from contextlib import AbstractContextManager

import torch

from seq2seq.errors import ConfigError

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # the names of these settings in malloc.h


def default_device() -> torch.device:
    """The GPU where there is one, else the CPU. Of several processes on a machine, torchrun's, each has its own GPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def precision(name: str, device: torch.device | None = None) -> torch.dtype:
    """The number format of the large products: `auto` is bf16 where the hardware multiplies it fast, else fp32.

    Raises ConfigError for any other name than auto, fp32 and bf16.
    """
    if name == "fp32":
        return torch.float32
    if name == "bf16":
        return torch.bfloat16
    if name != "auto":
        raise ConfigError(f"precision: found {name!r}, allowed are auto, fp32 and bf16")
    return torch.bfloat16 if _multiplies_bf16(device or default_device()) else torch.float32


def autocast(dtype: torch.dtype, device: torch.device | None = None) -> AbstractContextManager[object]:
    """Large products in `dtype`, sums and normalisations in fp32; changes nothing for fp32."""
    return torch.autocast((device or default_device()).type, dtype=dtype, enabled=dtype != torch.float32)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the device had no room for a tensor: torch has a class for it on a GPU, but only a text on a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def release_memory() -> None:
    """Give what is kept for later tensors back to the GPU: after it ran short, pieces may be too small to use."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()


def tune_memory() -> None:
    """What a CPU training wants of the allocator and of oneDNN; to be called before the first product.

    Freed tensors are kept for the next update (glibc only): returned to the system, every large one costs fresh zeroed
    pages, about a tenth of an update. Kernels are kept for 256 shapes of batches instead of oneDNN's 1,024.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_MMAP_THRESHOLD, 1 << 30)
    mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
