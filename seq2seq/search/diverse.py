"""Diverse beam search: groups of hypotheses, each of which avoids what the groups before it say at the same place."""

from copy import copy
from itertools import count
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.network.state import Start, Step, select
from seq2seq.search.base import IMPOSSIBLE, Hypothesis, Request, kept_rows, top_k
from seq2seq.search.beam_search import Beams, BeamScorer, beginning, finish, lengthened, pick, reorder, worthwhile
from seq2seq.search.constraints import Constraints
from seq2seq.special_tokens import EOS


class Diverse:
    """`beam_groups` beams side by side, `beam_size` hypotheses together (Vijayakumar et al. 2018, Hamming diversity).

    At every step the groups choose one after the other; a token that earlier groups have just chosen costs
    `diversity_penalty` nats for each of their hypotheses that has it:

        choice of group g = argmax over y of log p(y) - diversity_penalty * |earlier choices of y's last token|

    Only the choice is made so: scores stay the model's, and ending costs nothing. The first group is a beam of its
    width; so is the whole with beam_groups 1. What the groups find comes back together, each translation once, best
    first. Raises ConfigError.
    """

    def __init__(
        self,
        beam_size: int,
        beam_groups: int,
        diversity_penalty: float,
        n_best: int,
        length_penalty: str,
        alpha: float,
        max_length_ratio: float,
        max_length_extra: int,
        min_length_ratio: float,
        no_repeat_ngram: int,
    ) -> None:
        if beam_groups < 1 or beam_size % beam_groups:
            raise ConfigError(
                f"search.beam_groups: expected a divisor of search.beam_size ({beam_size}), got {beam_groups}"
            )
        if diversity_penalty < 0:
            raise ConfigError(f"search.diversity_penalty: expected a number of at least 0, got {diversity_penalty}")
        BeamScorer(beam_size, n_best, length_penalty, alpha)
        self.beam_size = beam_size
        self.n_best, self.groups, self.diversity_penalty = n_best, beam_groups, diversity_penalty
        self.contest = BeamScorer(
            beam_size // beam_groups, min(n_best, beam_size // beam_groups), length_penalty, alpha
        )
        self.rules = Constraints(max_length_ratio, max_length_extra, min_length_ratio, no_repeat_ngram)

    def extended(self) -> "Diverse":
        wider = copy(self)
        wider.contest, wider.beam_size, wider.n_best = self.contest.extended(), 2 * self.beam_size, 2 * self.beam_size
        return wider

    def __call__(self, start: Start, step: Step, request: Request) -> list[list[Hypothesis]]:
        """At most `n_best` different hypotheses a sentence, best first; sentences that are done leave the batch."""
        memory, state = start(request.source, request.mask)
        limits = self.rules.limits(request)
        rows = torch.arange(len(request.first), device=request.first.device)
        beam_groups = [_Group(*beginning(request.first))] * self.groups
        result: dict[int, list[Hypothesis]] = {}
        for length in count(1):
            # the first step: only the empty hypothesis, which all groups continue
            tokens = torch.cat([one.going.tokens for one in beam_groups[: 1 if length == 1 else None]], 1)
            likely, state = step(tokens[..., -1], state, memory)
            limits.apply(likely, length, lambda: tokens[..., 1:])  # noqa: B023 (called at once)
            price = None if request.ending is None else request.ending(state)
            beam_groups, parents = self._grow(beam_groups, likely, price, length)
            ended = torch.stack(
                [self.contest.done(one.finished, one.going, limits.longest, length) for one in beam_groups]
            )
            done = ended.all(0)
            keep = kept_rows(~done)
            if len(keep) < len(rows):
                result.update(zip(rows[done].tolist(), self._results(beam_groups, done, length), strict=True))
                if len(keep) == 0:
                    break
                rows, limits, memory = rows[keep], limits.pick(keep), select(memory, keep)
            state = reorder(state, keep, parents[keep])
            beam_groups = [one.without(over).pick(keep) for one, over in zip(beam_groups, ended, strict=True)]
        return [result[row] for row in range(len(request.first))]

    def _grow(
        self,
        groups: "list[_Group]",
        likely: Float[Tensor, "batch beam vocabulary"],
        price: Float[Tensor, "batch beam"] | None,
        length: int,
    ) -> "tuple[list[_Group], Int[Tensor, 'batch longer']]":
        """One token more for every group, and the places of all parents."""
        endings, penalty = likely[..., EOS].clone(), self.contest.penalty(torch.tensor([length], device=likely.device))
        likely[..., EOS] = IMPOSSIBLE
        chosen = likely.new_zeros(len(likely), likely.shape[2])  # how often earlier groups have each token
        grown, parents, offset = [], [], 0
        for number, (going, finished) in enumerate(groups):
            place = slice(offset, offset + going.scores.shape[1])
            disfavoured = (
                likely[:, place] - self.diversity_penalty * chosen.unsqueeze(1) if number else likely[:, place]
            )
            values, tokens = top_k(disfavoured, self.contest.beam_size)
            totals = (going.scores.unsqueeze(-1) + values).flatten(1)
            places = totals.topk(min(self.contest.beam_size, totals.shape[1])).indices
            own = (going.scores.unsqueeze(-1) + likely[:, place].gather(-1, tokens)).flatten(1).gather(1, places)
            scores, order = own.sort(1, descending=True)
            places = places.gather(1, order)
            longer = lengthened(going, places // values.shape[-1], tokens.flatten(1).gather(1, places), scores)
            ending = worthwhile(going.scores + endings[:, place], scores, self.contest.beam_size)
            normalised = ending / penalty if price is None else ending / penalty + price[:, place]
            grown.append(_Group(longer, finish(finished, going, ending, normalised, self.contest.beam_size)))
            parents.append(places // values.shape[-1] + offset)
            chosen.scatter_add_(1, longer.tokens[..., -1], (scores > IMPOSSIBLE).to(chosen.dtype))
            offset += going.scores.shape[1] if length > 1 else 0
        return grown, torch.cat(parents, 1)

    def _results(self, groups: "list[_Group]", rows: Bool[Tensor, " batch"], length: int) -> list[list[Hypothesis]]:
        """Of each of these sentences the `best` best of what the groups have found."""
        lists = [self.contest.results(pick(one.finished, rows), pick(one.going, rows), length) for one in groups]
        together = [{tuple(one.tokens): one for ones in row for one in ones} for row in zip(*lists, strict=True)]
        ranked = [sorted(row.values(), key=lambda one: (not one.finished, -one.normalised)) for row in together]
        return [row[: self.n_best] for row in ranked]


class _Group(NamedTuple):
    """The open hypotheses of a group and its finished ones."""

    going: Beams
    finished: Beams

    def without(self, over: Bool[Tensor, " batch"]) -> "_Group":
        """No open hypotheses in the sentences whose best ones are known."""
        scores = self.going.scores.masked_fill(over.unsqueeze(1), IMPOSSIBLE)
        return self._replace(going=self.going._replace(scores=scores))

    def pick(self, rows: Int[Tensor, " kept"]) -> "_Group":
        """Those of the sentences at `rows`."""
        return _Group(pick(self.going, rows), pick(self.finished, rows))
