"""Hypotheses side by side: the search that beams share, and the steps that it is made of."""

from collections.abc import Callable
from copy import copy
from itertools import count
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from seq2seq.errors import ConfigError
from seq2seq.network.state import Start, State, Step, map_state, select
from seq2seq.search.base import IMPOSSIBLE, Hypothesis, Request, hypotheses, kept_rows, top_k_sums
from seq2seq.search.constraints import Limits
from seq2seq.special_tokens import EOS


class LengthPenalty:
    """What a score is divided by, for a length in tokens with EOS.

    `power`: length^alpha, with alpha 1 the mean log-probability. `gnmt`: ((5 + length) / 6)^alpha, Wu et al. (2016),
    equation 14. Alpha 0 compares plain scores.
    """

    def __init__(self, kind: str, alpha: float) -> None:
        if kind not in ("power", "gnmt"):
            raise ConfigError(f"search.length_penalty: expected power or gnmt, got {kind!r}")
        if alpha < 0:
            # A divisor that falls with the length would let open hypotheses win without bound.
            raise ConfigError(f"search.alpha: expected a number of at least 0, got {alpha}")
        self.shift, self.scale = (5, 6) if kind == "gnmt" else (0, 1)
        self.alpha = alpha

    def __call__(self, lengths: Int[Tensor, " batch"]) -> Float[Tensor, " batch"]:
        """The divisor of every length."""
        return ((lengths + self.shift) / self.scale).pow(self.alpha)


class BeamScorer:
    """How hypotheses are compared: `beam_size` open ones a sentence, of which the `n_best` best are returned.

    `lookahead`: how many tokens more, at no cost, an open one may need to win; None: any number up to the longest
    length, so that nothing is lost.
    """

    def __init__(
        self, beam_size: int, n_best: int, length_penalty: str, alpha: float, lookahead: int | None = None
    ) -> None:
        if beam_size < 1:
            raise ConfigError(f"search.beam_size: expected a positive int, got {beam_size}")
        if not 1 <= n_best <= beam_size:
            raise ConfigError(f"search.n_best: expected an int from 1 to search.beam_size ({beam_size}), got {n_best}")
        self.beam_size = beam_size
        self.n_best = n_best
        self.penalty = LengthPenalty(length_penalty, alpha)
        if lookahead is not None and lookahead < 1:
            raise ConfigError(f"search.lookahead: expected a positive int, or null for none, got {lookahead}")
        self.lookahead = lookahead

    def extended(self) -> "BeamScorer":
        """Twice the width, all of which is returned."""
        wider = copy(self)
        wider.beam_size = wider.n_best = 2 * self.beam_size
        return wider

    def done(
        self, finished: "Beams", going: "Beams", limit: Int[Tensor, " batch"], length: int
    ) -> Bool[Tensor, " batch"]:
        """The sentences whose best hypotheses are known, or which may not grow.

        Scores only fall, so `score / penalty(longest length)` is more than an open hypothesis can reach; within
        `lookahead` tokens it can reach less.
        """
        reach = limit if self.lookahead is None else limit.clamp(max=length + self.lookahead)
        bound = going.scores.amax(1) / self.penalty(reach)
        done = (limit <= length) | (bound == IMPOSSIBLE)
        if finished.scores.shape[1] >= self.n_best:
            done |= finished.normalised[:, self.n_best - 1] >= bound
        if finished.scores.shape[1] == self.beam_size:  # all places are taken, and no open hypothesis is better
            current = going.scores.amax(1) / self.penalty(limit.new_tensor([length]))
            done |= (finished.normalised[:, -1] > IMPOSSIBLE) & (finished.normalised[:, 0] >= current)
        return done

    def results(self, finished: "Beams", going: "Beams", length: int) -> list[list[Hypothesis]]:
        """Each sentence's `best` best hypotheses: the finished ones, then the open ones."""
        penalty = self.penalty(torch.tensor([length], device=going.scores.device))
        both = merge(finished, going._replace(normalised=going.scores / penalty))
        chosen = (both.scores == IMPOSSIBLE).byte().argsort(dim=1, stable=True)[:, : self.n_best]
        scores, normalised = both.scores.gather(1, chosen), both.normalised.gather(1, chosen)
        return hypotheses(choose(both.tokens, chosen)[..., 1:], scores, normalised, chosen < finished.scores.shape[1])


class Beams(NamedTuple):
    """Hypotheses of every sentence, best first. `tokens` begin with the first decoder input and end in EOS fillers.

    Only finished ones are normalised while the search runs: the open ones of a sentence are all equally long.
    """

    tokens: Int[Tensor, "batch beam length"]
    scores: Float[Tensor, "batch beam"]
    normalised: Float[Tensor, "batch beam"]


class Expansion(NamedTuple):
    """One token more: the scores of ending now, the open hypotheses and the places of their parents."""

    ending: Float[Tensor, "batch beam"]
    longer: Beams
    parents: Int[Tensor, "batch longer"]


# Open hypotheses and the scores of what may follow each, under these rules; the numbers of their sentences.
Expand = Callable[[Beams, Tensor, Limits, Tensor], Expansion]


def search(
    start: Start, step: Step, request: Request, limits: Limits, contest: BeamScorer, grow: Expand
) -> list[list[Hypothesis]]:
    """At most `contest.n_best` hypotheses a sentence, best first; sentences that are done leave the batch."""
    memory, state = start(request.source, request.mask)
    rows = torch.arange(len(request.first), device=request.first.device)
    going, finished = beginning(request.first)
    result: dict[int, list[Hypothesis]] = {}
    for length in count(1):
        likely, state = step(going.tokens[..., -1], state, memory)
        ending, longer, parents = grow(going, likely, limits, rows)
        normalised = ending / contest.penalty(rows.new_tensor([length]))
        if request.ending is not None:
            normalised = normalised + request.ending(state)
        finished = finish(finished, going, ending, normalised, contest.beam_size)
        done = contest.done(finished, longer, limits.longest, length)
        keep = kept_rows(~done)
        if len(keep) < len(rows):
            lists = contest.results(pick(finished, done), pick(longer, done), length)
            result.update(zip(rows[done].tolist(), lists, strict=True))
            if len(keep) == 0:
                break
            rows, limits, parents, longer = rows[keep], limits.pick(keep), parents[keep], pick(longer, keep)
            finished, memory = pick(finished, keep), select(memory, keep)
        state, going = reorder(state, keep, parents), longer
    return [result[row] for row in range(len(request.first))]


def beginning(first: Int[Tensor, " batch"]) -> tuple[Beams, Beams]:
    """One empty open hypothesis a sentence, and no finished one."""
    scores = torch.zeros(len(first), 1, device=first.device)
    tokens = first.long()[:, None, None]
    return Beams(tokens, scores, scores), Beams(tokens[:, :0], scores[:, :0], scores[:, :0])


def extend(going: Beams, likely: Float[Tensor, "batch beam vocabulary"], width: int) -> Expansion:
    """The `width` best continuations; ending is impossible where it is not among a sentence's `width` best."""
    ending = going.scores + likely[..., EOS]
    likely[..., EOS] = IMPOSSIBLE
    scores, parents, tokens = top_k_sums(going.scores, likely, width)
    longer = lengthened(going, parents, tokens, scores)
    return Expansion(worthwhile(ending, scores, width), longer, parents)


def lengthened(
    going: Beams,
    parents: Int[Tensor, "batch longer"],
    tokens: Int[Tensor, "batch longer"],
    scores: Float[Tensor, "batch longer"],
) -> Beams:
    """The hypotheses at `parents` with a token each."""
    return Beams(torch.cat([choose(going.tokens, parents), tokens.unsqueeze(-1)], -1), scores, scores)


def worthwhile(
    ending: Float[Tensor, "batch beam"], rivals: Float[Tensor, "batch rivals"], width: int
) -> Float[Tensor, "batch beam"]:
    """The scores of ending, impossible where `width` endings or rivals are better."""
    both = torch.cat([ending, rivals], 1)
    weakest = both.topk(min(width, both.shape[1])).values[:, -1:]
    return ending.masked_fill(ending < weakest, IMPOSSIBLE)


def finish(
    finished: Beams,
    going: Beams,
    scores: Float[Tensor, "batch beam"],
    normalised: Float[Tensor, "batch beam"],
    width: int,
) -> Beams:
    """The `width` best of the finished hypotheses and those that end now."""
    if not bool((scores > IMPOSSIBLE).any()):
        return finished
    both = merge(finished, Beams(pad(going.tokens, (0, 1), value=EOS), scores, normalised))
    best, places = both.normalised.topk(min(width, both.normalised.shape[1]))
    return Beams(choose(both.tokens, places), both.scores.gather(1, places), best)


def merge(finished: Beams, others: Beams) -> Beams:
    """Both side by side, the shorter tokens filled up with EOS."""
    missing = others.tokens.shape[2] - finished.tokens.shape[2]
    tokens = torch.cat([pad(finished.tokens, (0, missing), value=EOS), others.tokens], 1)
    scores = torch.cat([finished.scores, others.scores], 1)
    return Beams(tokens, scores, torch.cat([finished.normalised, others.normalised], 1))


def choose(
    tokens: Int[Tensor, "batch beam length"], places: Int[Tensor, "batch chosen"]
) -> Int[Tensor, "batch chosen length"]:
    """Each sentence's hypotheses at its places."""
    return tokens.gather(1, places.unsqueeze(-1).expand(-1, -1, tokens.shape[2]))


def pick(beams: Beams, rows: Tensor) -> Beams:
    """The sentences at `rows`, numbers or a mask."""
    return Beams(*(part[rows] for part in beams))


def reorder(state: State, rows: Int[Tensor, " kept"], parents: Int[Tensor, "kept longer"]) -> State:
    """The state of every continued hypothesis: its parent's, for the rows that stay.

    Two sentences with two hypotheses each, `rows = [1]` and `parents = [[1, 1]]`: both continue the second hypothesis
    of the second sentence.
    """

    def reorder_tensor(tensor: Tensor) -> Tensor:
        places = (rows.unsqueeze(1) * tensor.shape[1] + parents).flatten()
        return tensor.flatten(0, 1).index_select(0, places).reshape(*parents.shape, *tensor.shape[2:])

    return map_state(reorder_tensor, state)
