"""Greedy search: the likeliest token at every step."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seq2seq.network.state import select
from seq2seq.search.base import IMPOSSIBLE, Hypothesis, LongestLength, Start, Step, hypotheses, kept_rows, likeliest
from seq2seq.symbols import EOS


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
        memory, state = start(source, source_mask)
        limit = self.longest(source_mask)
        rows = torch.arange(len(first), device=first.device)
        tokens = torch.full((len(first), int(limit.max())), EOS, dtype=torch.long, device=first.device)
        scores = torch.zeros(len(first), device=first.device)
        finished = torch.zeros(len(first), dtype=torch.bool, device=first.device)
        previous = first.long()
        for length in range(1, tokens.shape[1] + 1):
            logits, state = step(previous.unsqueeze(1), state, memory)
            likely = logits.squeeze(1).log_softmax(-1).index_fill_(-1, forbidden, IMPOSSIBLE)
            if length == 1:
                likely[:, EOS] = IMPOSSIBLE
            value, previous = (found.squeeze(1) for found in likeliest(likely, 1))
            scores[rows] += value
            tokens[rows, length - 1] = previous
            finished[rows] = previous == EOS
            keep = kept_rows((previous != EOS) & (limit[rows] > length))
            if len(keep) == 0:
                break
            if len(keep) < len(rows):
                rows, previous = rows[keep], previous[keep]
                state, memory = select(state, keep), select(memory, keep)
        lengths = (tokens != EOS).sum(1) + finished
        columns = (tokens, scores, scores / lengths, finished)
        return hypotheses(*(column.unsqueeze(1) for column in columns))
