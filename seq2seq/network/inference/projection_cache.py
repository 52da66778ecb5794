"""Parts of encoder and decoder that depend on one word only, computed once for all sentences, threads and processes."""

import math
import mmap
from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.network.state import State, map_state, tensors

LARGEST = 2**28  # bytes: 32,000 words of 4,000 numbers in bf16; a table beyond would outgrow most of its models


def projection_cache(vocabulary: int, like: State) -> "ProjectionCache | None":
    """An empty table, or none where it would take more than LARGEST bytes; `like`: see ProjectionCache."""
    size = vocabulary * sum(part.shape[-1] * part.itemsize for part in tensors(like))
    return ProjectionCache(vocabulary, like) if size <= LARGEST else None


class ProjectionCache:
    """Rows of a vocabulary, each computed at its first use (Devlin 2017, section on pre-computed products).

    `like`: the result of `words` below for any one token; it must depend on that token only. The memory is shared with
    processes that are forked later, so that all of them fill one table. Two processes that compute the same row write
    the same numbers; a row is marked as known after it is written, and x86 keeps that order. A copied module shares the
    table. Unused pages take no memory.
    """

    def __init__(self, vocabulary: int, like: State) -> None:
        self.known = _shared((vocabulary,), torch.bool)
        self.rows = map_state(lambda part: _shared((vocabulary, part.shape[-1]), part.dtype), like)

    def __call__(self, tokens: Int[Tensor, "batch beam"], words: Callable[[Tensor], State]) -> State:
        """The results of `words` for the tokens; it is called with unknown rows only."""
        ids = tokens.flatten()
        known = self.known.index_select(0, ids)
        if not known.all():
            self._fill(ids[~known], words)  # computing a repeated word twice costs less than finding repetitions
        return map_state(lambda rows: rows.index_select(0, ids).view(*tokens.shape, -1), self.rows)

    def __deepcopy__(self, memo: object) -> "ProjectionCache":
        return self

    @torch.inference_mode()
    def _fill(self, missing: Tensor, words: Callable[[Tensor], State]) -> None:
        result = words(missing.unsqueeze(0))
        for rows, part in zip(tensors(self.rows), tensors(result), strict=True):
            rows.index_copy_(0, missing, part.squeeze(0).to(rows.dtype))
        self.known.index_fill_(0, missing, True)


def _shared(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Zeros that forked processes share, without a file whose folder might be too small."""
    return torch.frombuffer(mmap.mmap(-1, math.prod(shape) * dtype.itemsize), dtype=dtype).view(shape)
