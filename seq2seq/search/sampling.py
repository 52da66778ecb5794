"""Sampling: the next token is drawn from the model's distribution, tempered and cut where that is wanted."""

from hashlib import blake2b

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from seq2seq.data.order import uniform
from seq2seq.errors import ConfigError
from seq2seq.search.base import Hypothesis, Request, Start, Step
from seq2seq.search.one_by_one import one_by_one
from seq2seq.search.rules import Rules


class Sampling:
    """Draws every token until EOS or the longest length.

    In this order: scores are divided by `temperature`, only the `top_k` likeliest tokens stay (null: all), and of these
    the smallest set whose probability together is at least `top_p` (nucleus sampling, Holtzman et al. 2020). Near 0,
    temperature makes the search greedy; 1, with top_k null and top_p 1, draws from the model itself.

    What a sentence draws depends on `seed`, its key and the position, not on its neighbours. Without keys in the
    request they are made from the source: the same line draws the same translation.
    The score of the one hypothesis of a sentence is the model's own, neither tempered nor cut.
    """

    def __init__(
        self,
        temperature: float,
        top_k: int | None,
        top_p: float,
        seed: int,
        length_factor: float,
        length_offset: int,
        shortest_factor: float,
        no_repeat: int,
    ) -> None:
        if not temperature > 0:
            raise ConfigError(f"search.temperature: expected a positive number, got {temperature}; greedy is near 0")
        if top_k is not None and top_k < 1:
            raise ConfigError(f"search.top_k: expected a positive int, or null for all tokens, got {top_k}")
        if not 0 < top_p <= 1:
            raise ConfigError(f"search.top_p: expected a probability above 0 and up to 1, got {top_p}")
        if seed < 0:
            raise ConfigError(f"search.seed: expected an int of at least 0, got {seed}")
        self.temperature, self.top_k, self.top_p, self.seed = temperature, top_k, top_p, seed
        self.rules = Rules(length_factor, length_offset, shortest_factor, no_repeat)

    def __call__(self, start: Start, step: Step, request: Request) -> list[list[Hypothesis]]:
        """One hypothesis a sentence; rows of one source and several keys are different draws."""
        keys = _keys(request.source, request.mask, request.first) if request.keys is None else request.keys

        def chosen(
            scores: Float[Tensor, "open vocabulary"], rows: Int[Tensor, " open"], length: int
        ) -> Int[Tensor, " open"]:
            return self._drawn(scores, keys[rows], length)

        return one_by_one(start, step, request, self.rules.limits(request), chosen)

    def draw(
        self,
        start: Start,
        step: Step,
        source: Int[Tensor, "batch source"],
        mask: Bool[Tensor, "batch source"],
        first: Int[Tensor, " batch"],
        forbidden: Int[Tensor, " forbidden"],
        keys: Int[Tensor, " batch"],
    ) -> list[list[Hypothesis]]:
        """The same from the parts of a request: for training, which knows no requests."""
        return self(start, step, Request(source, mask, first, forbidden, keys))

    def probabilities(self, scores: Float[Tensor, "batch vocabulary"]) -> Float64[Tensor, "batch vocabulary"]:
        """What is drawn from: sums to 1 in every row, and is 0 for what is cut away."""
        tempered = (scores.double() / self.temperature).softmax(-1)
        if self.top_k is None and self.top_p == 1:
            return tempered
        ordered, ids = tempered.sort(dim=-1, descending=True, stable=True)
        if self.top_k is not None:
            ordered[:, self.top_k :] = 0
            ordered = ordered / ordered.sum(-1, keepdim=True)
        before = ordered.cumsum(-1) - ordered  # of all likelier tokens together
        ordered = ordered.masked_fill(before >= self.top_p, 0)
        kept = torch.zeros_like(tempered).scatter_(-1, ids, ordered)
        return kept / kept.sum(-1, keepdim=True)

    def _drawn(
        self, scores: Float[Tensor, "batch vocabulary"], keys: Int[Tensor, " batch"], position: int
    ) -> Int[Tensor, " batch"]:
        """The token in whose part of [0, 1) the row's random number falls."""
        ends = self.probabilities(scores).cumsum(-1)
        numbers = torch.from_numpy(uniform(keys.cpu().numpy(), self.seed, position, 0)).to(ends.device)
        places = numbers * ends[:, -1]  # which rounding leaves a little off 1
        return torch.searchsorted(ends, places.unsqueeze(1), right=True).squeeze(1)


def _keys(
    source: Int[Tensor, "batch source"], mask: Bool[Tensor, "batch source"], first: Int[Tensor, " batch"]
) -> Int[Tensor, " batch"]:
    """A number for each row that depends on its real tokens only."""
    keys = []
    for ids, real, one in zip(source.tolist(), mask.tolist(), first.tolist(), strict=True):
        row = " ".join(map(str, [one, *(token for token, is_real in zip(ids, real, strict=True) if is_real)]))
        keys.append(int.from_bytes(blake2b(row.encode(), digest_size=8).digest(), "big") >> 1)
    return torch.tensor(keys, device=source.device)
