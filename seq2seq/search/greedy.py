"""Greedy search: the likeliest token at every step."""

from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.search.base import Hypothesis, LongestLength, Request, Start, Step, likeliest, one_by_one


class Greedy:
    """Takes the likeliest token until EOS or the longest length, `length_factor * source tokens + length_offset`.

    The one hypothesis of a sentence is normalised by its length: nats per token, EOS included.
    """

    def __init__(self, length_factor: float, length_offset: int) -> None:
        self.longest = LongestLength(length_factor, length_offset)

    def __call__(self, start: Start, step: Step, request: Request) -> list[list[Hypothesis]]:
        """One hypothesis a sentence; finished sentences leave the batch."""
        return one_by_one(start, step, request, self.longest, self._likeliest)

    def _likeliest(
        self, scores: Float[Tensor, "open vocabulary"], rows: Int[Tensor, " open"], length: int
    ) -> Int[Tensor, " open"]:
        return likeliest(scores, 1)[1].squeeze(1)
