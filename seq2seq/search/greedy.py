"""Greedy search: the likeliest token at every step."""

from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.search.base import Hypothesis, LongestLength, Start, Step, likeliest, one_by_one


class Greedy:
    """Takes the likeliest token until EOS or the longest length, `length_factor * source tokens + length_offset`.

    The one hypothesis of a sentence is normalised by its length: nats per token, EOS included.
    """

    def __init__(self, length_factor: float, length_offset: int) -> None:
        self.longest = LongestLength(length_factor, length_offset)

    def __call__(
        self,
        start: Start,
        step: Step,
        source: Int[Tensor, "batch source"],
        source_mask: Bool[Tensor, "batch source"],
        first: Int[Tensor, " batch"],
        forbidden: Int[Tensor, " forbidden"],
    ) -> list[list[Hypothesis]]:
        """One hypothesis a sentence; finished sentences leave the batch."""
        return one_by_one(start, step, source, source_mask, first, forbidden, self.longest, self._likeliest)

    def _likeliest(
        self, scores: Float[Tensor, "open vocabulary"], rows: Int[Tensor, " open"], length: int
    ) -> Int[Tensor, " open"]:
        return likeliest(scores, 1)[1].squeeze(1)
