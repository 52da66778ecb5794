"""A batch of sentence pairs as padded tensors: the only thing the network and the trainer know of the data."""

from typing import NamedTuple

from jaxtyping import Bool, Int
from torch import Tensor


class Batch(NamedTuple):
    """Padded ids with their masks (true on real tokens).

    A source row is `[tag of the target language, piece, ..., EOS]`, a target row `[tag of the target language, piece,
    ..., EOS]`: the decoder reads `target[:, :-1]` and predicts `target[:, 1:]`. `pairs` holds each row's number in the
    store (of running text, the place of its first token; see data/stream.py).
    """

    source: Int[Tensor, "batch source"]
    source_mask: Bool[Tensor, "batch source"]
    target: Int[Tensor, "batch target"]
    target_mask: Bool[Tensor, "batch target"]
    pairs: Int[Tensor, " batch"]


def predicted(batch: Batch) -> Int[Tensor, " tokens"]:
    """The ids that a network is to predict, row by row: the real ones of `target[:, 1:]`."""
    return batch.target[:, 1:][batch.target_mask[:, 1:]]
