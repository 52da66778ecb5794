"""What a decoder makes of each word alone, computed once for all sentences, threads and forked processes."""

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
    """Rows of a vocabulary, each computed when it is first asked for (Devlin 2017, section on pre-computed products).

    `like`: what `words` below gives for any one token; all of it must depend on that token alone. The memory is shared
    with processes that are forked later, so all of them fill one table. Who computes a row that another one is just
    writing writes the same numbers; a row is marked as known behind it, and x86 keeps that order. A copy of a module
    that holds a table holds the same one. Pages that no row was written to take no memory.
    """

    def __init__(self, vocabulary: int, like: State) -> None:
        self.known = _shared((vocabulary,), torch.bool)
        self.rows = map_state(lambda part: _shared((vocabulary, part.shape[-1]), part.dtype), like)

    def __call__(self, tokens: Int[Tensor, "batch beam"], words: Callable[[Tensor], State]) -> State:
        """What `words` makes of the tokens; it is asked about those alone whose row is not known."""
        asked = tokens.flatten()
        known = self.known.index_select(0, asked)
        if not known.all():
            self._fill(asked[~known], words)  # a word that stands there twice costs less than to look for such
        return map_state(lambda rows: rows.index_select(0, asked).view(*tokens.shape, -1), self.rows)

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
