"""What the hardware offers: the only place that asks."""

import ctypes
import os
from contextlib import AbstractContextManager
from typing import Literal

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


def products(name: str, device: torch.device) -> Literal["fp32", "bf16", "int8"]:
    """The number format of a search's products: int8 where asked for, else that of `precision`. Raises ConfigError."""
    if name == "int8":
        if device.type != "cpu" or not _multiplies_int8():
            raise ConfigError("precision: int8 needs a CPU that multiplies bytes (AVX-512 VNNI): use precision=auto")
        return "int8"
    if name not in ("auto", "fp32", "bf16"):
        raise ConfigError(f"precision: found {name!r}, allowed are auto, fp32, bf16 and int8")
    return "fp32" if precision(name, device) == torch.float32 else "bf16"


def packs() -> bool:
    """Whether oneDNN multiplies packed matrices here: it was tried on x86 with AVX2 or more."""
    return torch._C._has_mkldnn and torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def autocast(dtype: torch.dtype, device: torch.device | None = None) -> AbstractContextManager[object]:
    """Large products in `dtype`, sums and normalisations in fp32; changes nothing for fp32."""
    return torch.autocast((device or default_device()).type, dtype=dtype, enabled=dtype != torch.float32)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the device had no room for a tensor: torch has a class for it on a GPU, but only a text on a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def release_memory() -> None:
    """Give what is kept for later tensors back, to the GPU and to the system: pieces become too small to use."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if libc := _libc():
        libc.malloc_trim(0)


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()


def _multiplies_int8() -> bool:
    """Older processors add pairs of products in 16 bits, which overflow."""
    return packs() and torch.cpu._is_vnni_supported()


def tune_memory() -> None:
    """What a CPU training wants of the allocator and of oneDNN; to be called before the first product.

    See `keep_memory`. Kernels are kept for 256 shapes of batches instead of oneDNN's 1,024.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
    keep_memory()


def tune_search() -> None:
    """The same for search, whose products have other numbers of rows at every step; before the first of them.

    Few prepared products are kept, because each lies in the way of everything else: after 12,000 lines a process held
    0.43 GB, flat, with 128 and 32 of them and `release_memory` now and then, and 0.68 GB, rising, with 256 and 64 and
    without it, for the same processor time; with 1,024 it held 1.1 GB.
    """
    os.environ.setdefault("LRU_CACHE_CAPACITY", "32")  # of ideep, which stands between torch and oneDNN
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
    keep_memory()


def tune_reading() -> None:
    """The same for texts that are read once, in batches by length of which few are alike; before the first of them.

    Scoring some thousand pairs held 0.6 GB and stayed there; with the usual 1,024 kernels it rose to 0.9 GB: what is
    kept of shapes that do not come again also lies in the way of everything else.
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


def _libc() -> ctypes.CDLL | None:
    """glibc, where that is what a program runs on."""
    try:
        return ctypes.CDLL("libc.so.6")
    except OSError:
        return None
