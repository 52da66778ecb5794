"""Greedy search: the likeliest token at every step."""

from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.network.state import Start, Step
from seq2seq.search.autoregressive import autoregressive
from seq2seq.search.base import Hypothesis, Request, top_k
from seq2seq.search.constraints import Constraints


class Greedy:
    """Takes the likeliest token until EOS or the longest length.

    The one hypothesis of a sentence is normalised by its length: nats per token, EOS included.
    """

    def __init__(
        self, max_length_ratio: float, max_length_extra: int, min_length_ratio: float, no_repeat_ngram: int
    ) -> None:
        self.rules = Constraints(max_length_ratio, max_length_extra, min_length_ratio, no_repeat_ngram)

    def __call__(self, start: Start, step: Step, request: Request) -> list[list[Hypothesis]]:
        """One hypothesis a sentence; finished sentences leave the batch."""
        return autoregressive(start, step, request, self.rules.limits(request), self._likeliest)

    def _likeliest(
        self, scores: Float[Tensor, "open vocabulary"], rows: Int[Tensor, " open"], length: int
    ) -> Int[Tensor, " open"]:
        return top_k(scores, 1)[1].squeeze(1)
