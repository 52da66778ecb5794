"""Sampling: the next token is drawn from the model's distribution, with temperature and truncation."""

import math
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from seq2seq.data.loader.shuffle import uniform
from seq2seq.errors import ConfigError
from seq2seq.network.state import Start, Step, select
from seq2seq.search.autoregressive import autoregressive
from seq2seq.search.base import Hypothesis, Request, top_k
from seq2seq.search.constraints import Constraints, Limits

FIRST = 64  # tokens among which a cut looks for those that stay
MORE = 6  # times as many, where these were too few


class Filtered(NamedTuple):
    """Tokens of each row in the order of their ids, and their chances, which sum to 1: 0 of those that are cut away.

    `settled`: no other token would have stayed; in other rows more must be looked at.
    """

    ids: Int[Tensor, "batch looked"]
    probabilities: Float64[Tensor, "batch looked"]
    settled: Bool[Tensor, " batch"]


class Truncation:
    """Temperature and cuts, see Sampling; `cuts` are made one after the other, each of what the last one left."""

    def __init__(self, temperature: float, top_k: int | None, top_p: float, typical_p: float) -> None:
        self.temperature = temperature
        cuts = _Cut(False, top_k, math.inf), _Cut(False, None, top_p), _Cut(True, None, typical_p)
        self.cuts = [cut for cut in cuts if cut.most is not None or cut.mass < 1]

    def drawn(
        self, scores: Float[Tensor, "batch vocabulary"], numbers: Float64[Tensor, " batch"]
    ) -> Int[Tensor, " batch"]:
        """The token of each row in whose part of [0, 1) its number falls; parts lie in the order of ids.

        Sorting a whole vocabulary takes ten times as long as all else, so few tokens are looked at, more where needed.
        """
        tokens, settled = self._drawn(scores, numbers, FIRST)
        count = FIRST
        while len(rows := torch.nonzero(~settled).flatten()):
            count *= MORE
            tokens[rows], settled[rows] = self._drawn(scores[rows], numbers[rows], count)
        return tokens

    def kept(self, scores: Float[Tensor, "batch vocabulary"], count: int) -> Filtered:
        """The tokens of the `count` first in the order of the first truncation (or of a smaller vocabulary) that stay.

        A row is settled if the last token that stays precedes the last one examined: all before it, or equal to it, are
        among these. Ties are decided by ids.
        """
        ids = torch.arange(scores.shape[-1], device=scores.device).expand(scores.shape)
        settled = torch.ones(len(scores), dtype=torch.bool, device=scores.device)
        if not self.cuts:
            return Filtered(ids, self._tempered(scores).softmax(-1), settled)
        first, *others = self.cuts
        looked = count + (first.most or 0)
        few = 2 * looked <= scores.shape[-1]
        if few and first.most is not None:  # their probabilities then sum to 1, whatever the others are
            ids = top_k(scores, looked)[1].sort().values
            scores = scores.gather(-1, ids)
        likely = self._tempered(scores).log_softmax(-1)
        order = first.order(likely)
        if few and first.most is None:
            ids = top_k(-order, looked)[1].sort().values
            likely, order = likely.gather(-1, ids), order.gather(-1, ids)
        stays = first.stays(order, likely)
        if few:
            settled = order.masked_fill(~stays, -math.inf).amax(-1) < order.amax(-1)
        likely = _alone(likely, stays)
        for cut in others:
            likely = _alone(likely, cut.stays(cut.order(likely), likely))
        return Filtered(ids, likely.exp(), settled)

    def _drawn(self, scores: Tensor, numbers: Tensor, count: int) -> tuple[Tensor, Tensor]:
        ids, chances, settled = self.kept(scores, count)
        ends = chances.cumsum(-1)
        places = numbers * ends[:, -1]  # which rounding leaves a little off 1
        return ids.gather(1, torch.searchsorted(ends, places.unsqueeze(1), right=True)).squeeze(1), settled

    def _tempered(self, scores: Tensor) -> Tensor:
        return scores.double() / self.temperature


class _Cut(NamedTuple):
    """The tokens that come first stay, until they are `most` or have `mass` together.

    First come the likeliest, or those whose information is nearest to its mean (`typical`).
    """

    typical: bool
    most: int | None
    mass: float

    def order(self, likely: Float64[Tensor, "batch tokens"]) -> Float64[Tensor, "batch tokens"]:
        """The rank of each: the smallest number first."""
        if not self.typical:
            return -likely
        mean = (likely.exp() * likely).nansum(-1, keepdim=True)  # 0 * -inf of what is impossible counts nothing
        return (likely - mean).abs()

    def stays(
        self, order: Float64[Tensor, "batch tokens"], likely: Float64[Tensor, "batch tokens"]
    ) -> Bool[Tensor, "batch tokens"]:
        """Whether each stays; what is impossible never does."""
        places = order.sort(dim=-1, stable=True).indices
        chances = likely.exp().gather(-1, places)
        first = chances.cumsum(-1) - chances < self.mass
        if self.most is not None:
            first[:, self.most :] = False
        return torch.zeros_like(first).scatter_(-1, places, first) & (likely > -math.inf)


def _alone(likely: Tensor, stays: Tensor) -> Tensor:
    """Those that stay, as likely as if there were no others."""
    return likely.masked_fill(~stays, -math.inf).log_softmax(-1)


class Sampling:
    """Draws every token until EOS or the maximum length.

    In this order: scores are divided by `temperature`; the `top_k` most probable tokens stay (null: all); of these the
    smallest set with a probability of at least `top_p` (nucleus sampling, Holtzman et al. 2020); of these the smallest
    set with `typical_p`, of the tokens whose information -log p is nearest to its mean, the entropy (locally typical
    sampling, Meister et al. 2023, equation 10). A temperature near 0 makes the search greedy; 1, with top_k null, top_p
    and typical_p 1, draws from the model's distribution.

    The draws of a sentence depend on `seed`, its key, the number of the draw and the position, not on its neighbours.
    Without keys in the request they are derived from the source: equal lines get equal translations. The first of
    `num_samples` draws is that of num_samples=1; the model computes as many at a time as the batch has sentences. A
    hypothesis's score is the model's, without temperature and truncation.
    """

    def __init__(
        self,
        temperature: float,
        top_k: int | None,
        top_p: float,
        typical_p: float,
        num_samples: int,
        seed: int,
        max_length_ratio: float,
        max_length_extra: int,
        min_length_ratio: float,
        no_repeat_ngram: int,
    ) -> None:
        if not temperature > 0:
            raise ConfigError(f"search.temperature: expected a positive number, got {temperature}; greedy is near 0")
        if top_k is not None and top_k < 1:
            raise ConfigError(f"search.top_k: expected a positive int, or null for all tokens, got {top_k}")
        if not 0 < top_p <= 1:
            raise ConfigError(f"search.top_p: expected a probability above 0 and up to 1, got {top_p}")
        if not 0 < typical_p <= 1:
            raise ConfigError(f"search.typical_p: expected a probability above 0 and up to 1, got {typical_p}")
        if num_samples < 1:
            raise ConfigError(f"search.num_samples: expected a positive int, got {num_samples}")
        if seed < 0:
            raise ConfigError(f"search.seed: expected an int of at least 0, got {seed}")
        self.truncation = Truncation(temperature, top_k, top_p, typical_p)
        self.num_samples, self.seed = num_samples, seed
        self.rules = Constraints(max_length_ratio, max_length_extra, min_length_ratio, no_repeat_ngram)

    def __call__(self, start: Start, step: Step, request: Request) -> list[list[Hypothesis]]:
        """`num_samples` hypotheses a sentence, best normalised first; rows of a source with other keys draw apart."""
        keys = _keys(request.source, request.mask, request.first) if request.keys is None else request.keys
        limits = self.rules.limits(request)
        if self.num_samples == 1:
            return self._drawn_rows(start, step, request, limits, keys)
        memory, state = start(request.source, request.mask)
        result: list[list[Hypothesis]] = []
        share = max(1, len(keys) // self.num_samples)
        for begin in range(0, len(keys), share):
            rows = torch.arange(begin, min(begin + share, len(keys)), device=keys.device)
            several = rows.repeat_interleave(self.num_samples)
            started = select(memory, several), select(state, several)
            repeated = request._replace(
                source=request.source[several], mask=request.mask[several], first=request.first[several]
            )
            numbers = torch.arange(self.num_samples, device=keys.device).repeat(len(rows))
            drawn = self._drawn_rows(
                lambda source, mask, started=started: started,
                step,
                repeated,
                limits.pick(several),
                _apart(keys[several], numbers),
            )
            ones = [one for [one] in drawn]
            result += [ones[at : at + self.num_samples] for at in range(0, len(ones), self.num_samples)]
        return [sorted(ones, key=lambda one: -one.normalised) for ones in result]

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
        """The same from the parts of a request: for training, which knows no requests and has rows for its draws."""
        if self.num_samples != 1:
            raise ConfigError(
                f"search.num_samples: expected 1 in training, where every candidate is a row, got {self.num_samples}"
            )
        return self(start, step, Request(source, mask, first, forbidden, keys))

    def _drawn_rows(
        self, start: Start, step: Step, request: Request, limits: Limits, keys: Int[Tensor, " batch"]
    ) -> list[list[Hypothesis]]:
        """One hypothesis a row."""

        def chosen(
            scores: Float[Tensor, "open vocabulary"], rows: Int[Tensor, " open"], length: int
        ) -> Int[Tensor, " open"]:
            return self._drawn(scores, keys[rows], length)

        return autoregressive(start, step, request, limits, chosen)

    def _drawn(
        self, scores: Float[Tensor, "batch vocabulary"], keys: Int[Tensor, " batch"], position: int
    ) -> Int[Tensor, " batch"]:
        numbers = torch.from_numpy(uniform(keys.cpu().numpy(), self.seed, position, 0))
        return self.truncation.drawn(scores, numbers.to(scores.device))


def _apart(keys: Int[Tensor, " rows"], numbers: Int[Tensor, " rows"]) -> Int[Tensor, " rows"]:
    """A key for each draw of a sentence; that of draw number 0 is the sentence's own."""
    numbers_apart = _large(uniform(numbers.cpu().numpy(), 0, 0, 0)).to(keys.device)
    return torch.where(
        numbers == 0, keys, _large(uniform((keys ^ numbers_apart).cpu().numpy(), 0, 0, 1)).to(keys.device)
    )


def _large(shares: np.ndarray[Any, np.dtype[np.float64]]) -> Int[Tensor, " rows"]:
    """Random numbers in [0, 1) as integers."""
    return torch.from_numpy((shares * 2**53).astype(np.int64))


def _keys(
    source: Int[Tensor, "batch source"], mask: Bool[Tensor, "batch source"], first: Int[Tensor, " batch"]
) -> Int[Tensor, " batch"]:
    """A number for each row that depends on its real tokens only."""
    keys = []
    for ids, real, one in zip(source.tolist(), mask.tolist(), first.tolist(), strict=True):
        row = " ".join(map(str, [one, *(token for token, is_real in zip(ids, real, strict=True) if is_real)]))
        keys.append(int.from_bytes(blake2b(row.encode(), digest_size=8).digest(), "big") >> 1)
    return torch.tensor(keys, device=source.device)
