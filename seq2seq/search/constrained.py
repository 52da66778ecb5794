"""Beam search with phrases that a translation must have (dynamic beam allocation: Post & Vilar 2018)."""

from collections import Counter
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from seq2seq.network.state import Start, Step
from seq2seq.search.base import IMPOSSIBLE, Hypothesis, Request, top_k
from seq2seq.search.beam_search import Beams, BeamScorer, Expansion, lengthened, search
from seq2seq.search.constraints import NOWHERE, Constraints, Limits
from seq2seq.special_tokens import EOS


class Constrained:
    """Beam search whose hypotheses end only when they have every required phrase; without any it is Beam.

    A hypothesis lacks a number of tokens until all phrases are complete. At every step its most probable continuations
    compete with those that advance its phrases; hypotheses that lack equally many tokens form a bank, each bank gets an
    equal share of the beam, and unused places go to the best of the others. The best hypothesis of those that lack
    least always stays: all phrases are complete after at most as many tokens as they have, if lengths and banned
    phrases allow it. Compared with a grid of beams (Hokamp & Liu 2017) the cost does not depend on the number of
    phrases, and a batch may mix lines with and without.

    Unlike in the paper, an interrupted phrase loses no more than necessary (its tokens may begin another one), phrases
    may overlap, and a phrase that is required twice occurs twice. If the maximum length forbids it, the unfinished
    hypothesis that lacks least is returned: see `unmet`. Tokens of required phrases are exempt from n-gram blocking;
    phrases with forbidden ids or banned phrases are impossible, and left unmet.
    """

    def __init__(
        self,
        beam_size: int,
        n_best: int,
        length_penalty: str,
        alpha: float,
        max_length_ratio: float,
        max_length_extra: int,
        min_length_ratio: float,
        no_repeat_ngram: int,
    ) -> None:
        self.beam_size = beam_size
        self.contest = BeamScorer(beam_size, n_best, length_penalty, alpha)
        self.rules = Constraints(max_length_ratio, max_length_extra, min_length_ratio, no_repeat_ngram)

    @property
    def n_best(self) -> int:
        """How many hypotheses of a sentence are returned."""
        return self.contest.n_best

    def extended(self) -> "Constrained":
        wider = copy(self)
        wider.contest, wider.beam_size = self.contest.extended(), 2 * self.beam_size
        return wider

    def __call__(self, start: Start, step: Step, request: Request) -> list[list[Hypothesis]]:
        """At most `best` hypotheses a sentence, best first; sentences that are done leave the batch."""
        limits = self.rules.limits(request._replace(required=()))
        phrases = _wanted(request)

        def grow(
            going: Beams, likely: Float[Tensor, "batch beam vocabulary"], limits: Limits, rows: Int[Tensor, " batch"]
        ) -> Expansion:
            return _grow(going, likely, limits, phrases.pick(rows), self.contest.beam_size)

        return search(start, step, request, limits, self.contest, grow)


def unmet(tokens: Sequence[int], required: Sequence[Sequence[int]]) -> list[list[int]]:
    """The required phrases that a translation lacks; one that comes less often than it should, as often as it lacks."""
    missing = []
    for phrase, times in Counter(tuple(one) for one in required if len(one)).items():
        places = range(len(tokens) - len(phrase) + 1)
        result = sum(tuple(tokens[place : place + len(phrase)]) == phrase for place in places)
        missing += [list(phrase)] * max(0, times - result)
    return missing


@dataclass(frozen=True)
class PhraseConstraints:
    """The different phrases of every sentence, and how many times each must come (0: a filler).

    `heads[..., n, :]` is a phrase's first n tokens, `whole` all of them, both filled up on the left.
    """

    phrases: Int[Tensor, "batch phrases longest"]
    lengths: Int[Tensor, "batch phrases"]
    times: Int[Tensor, "batch phrases"]
    heads: Int[Tensor, "batch phrases longest before"]
    whole: Int[Tensor, "batch phrases longest"]

    def pick(self, rows: Int[Tensor, " kept"]) -> "PhraseConstraints":
        """Those of the sentences at `rows`."""
        return PhraseConstraints(*(part[rows] for part in vars(self).values()))

    def missing(self, history: Int[Tensor, "batch beam past"]) -> Int[Tensor, "batch beam phrases"]:
        """How many times each phrase must still come."""
        if history.shape[2] == 0:
            return self.times.unsqueeze(1).expand(-1, history.shape[1], -1)
        runs = pad(history, (self.whole.shape[2] - 1, 0), value=NOWHERE - 1).unfold(2, self.whole.shape[2], 1)
        result = _fits(self.whole[:, None, :, None], runs.unsqueeze(2))  # batch beam phrases past
        return (self.times.unsqueeze(1) - result.sum(-1)).clamp(min=0)

    def begun(self, history: Int[Tensor, "batch beam past"]) -> Bool[Tensor, "batch beam phrases longest"]:
        """Whether the history ends in a phrase's first n tokens, for every n below its length."""
        before = self.heads.shape[3]
        tail = pad(history, (before, 0), value=NOWHERE - 1)[..., history.shape[2] :]
        shorter = torch.arange(self.heads.shape[2], device=history.device) < self.lengths.unsqueeze(-1)
        return _fits(self.heads.unsqueeze(1), tail[:, :, None, None]) & shorter.unsqueeze(1)

    def needs(
        self,
        tokens: Int[Tensor, "batch beam tokens"],
        missing: Int[Tensor, "batch beam phrases"],
        begun: Bool[Tensor, "batch beam phrases longest"],
    ) -> Int[Tensor, "batch beam tokens"]:
        """How many tokens a hypothesis will need once it has one of these: its phrases one after the other.

        One of them, the farthest, may have begun.
        """
        sizes = torch.arange(1, self.phrases.shape[2] + 1, device=tokens.device)
        grown = begun.unsqueeze(2) & (self.phrases[:, None, None] == tokens[..., None, None])
        ended = (grown & (sizes == self.lengths.unsqueeze(-1))[:, None, None]).any(-1)
        going = torch.where(grown & (sizes < self.lengths.unsqueeze(-1))[:, None, None], sizes, 0).amax(-1)
        left = (missing.unsqueeze(2) - ended.long()).clamp(min=0)
        farthest = going.masked_fill(left == 0, 0).amax(-1)
        return (left * self.lengths[:, None, None]).sum(-1) - farthest


def _grow(
    going: Beams, likely: Float[Tensor, "batch beam vocabulary"], limits: Limits, phrases: PhraseConstraints, width: int
) -> Expansion:
    """One token more; see Constrained."""
    history = going.tokens[..., 1:]
    missing, begun = phrases.missing(history), phrases.begun(history)
    helpful = _helpful(phrases, missing, begun)
    limits.apply(likely, going.tokens.shape[2], lambda: history, helpful)
    ending = likely[..., EOS].clone()
    likely[..., EOS] = IMPOSSIBLE
    stuck = likely.amax(-1) == IMPOSSIBLE
    ending = (going.scores + ending).masked_fill((missing > 0).any(-1) & ~stuck, IMPOSSIBLE)
    values, tokens = top_k(likely, width)
    again = (helpful.unsqueeze(-1) == tokens.unsqueeze(2)).any(-1)
    earlier = (helpful.unsqueeze(-1) == helpful.unsqueeze(2)).tril(-1).any(-1)
    values = torch.cat([values, likely.gather(-1, helpful).masked_fill(again | earlier, IMPOSSIBLE)], -1)
    tokens = torch.cat([tokens, helpful], -1)
    totals = going.scores.unsqueeze(-1) + values
    needs = phrases.needs(tokens, missing, begun)
    share = (width // ((phrases.times * phrases.lengths).sum(1) + 1)).clamp(min=1)
    places, needed = allocate(totals.flatten(1), needs.flatten(1), share, width)
    scores, parents = totals.flatten(1).gather(1, places), places // values.shape[-1]
    longer = lengthened(going, parents, tokens.flatten(1).gather(1, places), scores)
    possible = scores > IMPOSSIBLE
    met = ((needed == 0) & possible).sum(1).clamp(min=1).where(possible.sum(1) == width, width)
    rivals = totals.masked_fill(needs > 0, IMPOSSIBLE).flatten(1)
    return Expansion(
        ending.masked_fill(ending < at_least(torch.cat([ending, rivals], 1), met), IMPOSSIBLE), longer, parents
    )


def _helpful(
    constraints: PhraseConstraints,
    missing: Int[Tensor, "batch beam phrases"],
    begun: Bool[Tensor, "batch beam phrases longest"],
) -> Int[Tensor, "batch beam phrases"]:
    """The token that brings each missing phrase on, EOS for the others."""
    numbers = torch.arange(begun.shape[-1], device=begun.device)
    far = torch.where(begun, numbers, 0).amax(-1, keepdim=True)
    following = constraints.phrases.unsqueeze(1).expand(-1, far.shape[1], -1, -1).gather(-1, far).squeeze(-1)
    return following.masked_fill(missing == 0, EOS)


def _fits(pattern: Int[Tensor, "..."], tokens: Int[Tensor, "..."]) -> Bool[Tensor, "..."]:
    return ((pattern == NOWHERE) | (pattern == tokens)).all(-1)


def _wanted(request: Request) -> PhraseConstraints:
    """The phrases that a translation can have, as tensors."""
    size, device = len(request.first), request.first.device
    impossible = {EOS, *request.forbidden.tolist()}
    barred = [[tuple(one) for one in row if len(one)] for row in request.banned] or [[]] * size
    rows = [
        Counter(tuple(one) for one in row if len(one) and not impossible & set(one) and not _has(one, bans))
        for row, bans in zip(request.required or [[]] * size, barred, strict=True)
    ]
    most = max(1, *(len(row) for row in rows))
    longest = max((len(phrase) for row in rows for phrase in row), default=1)
    phrases = torch.full((size, most, longest), NOWHERE)
    heads, whole = torch.full((size, most, longest, longest - 1), NOWHERE), phrases.clone()
    lengths, times = torch.zeros(size, most, dtype=torch.long), torch.zeros(size, most, dtype=torch.long)
    for row, ones in enumerate(rows):
        for number, (phrase, count) in enumerate(ones.items()):
            ids = torch.tensor(phrase)
            lengths[row, number], times[row, number] = len(phrase), count
            phrases[row, number, : len(phrase)] = ids
            whole[row, number, longest - len(phrase) :] = ids
            for part in range(1, len(phrase)):
                heads[row, number, part, longest - 1 - part :] = ids[:part]
    return PhraseConstraints(*(part.to(device) for part in (phrases, lengths, times, heads, whole)))


def _has(phrase: Sequence[int], others: Sequence[tuple[int, ...]]) -> bool:
    return any(tuple(phrase[at : at + len(one)]) == one for one in others for at in range(len(phrase)))


def allocate(
    scores: Float[Tensor, "batch candidates"],
    needs: Int[Tensor, "batch candidates"],
    share: Int[Tensor, " batch"],
    width: int,
) -> tuple[Int[Tensor, "batch chosen"], Int[Tensor, "batch chosen"]]:
    """The places of the `width` chosen candidates with their needs: by need, those that need equally many by score.

    The best candidate of those that need least is chosen first, then the `share` best of every need, then the best of
    all others. Three candidates that need 0, 1 and 1, the first with the lowest score; width 2 and share 1: the first
    and the better of the others.
    """
    needs = needs.masked_fill(scores == IMPOSSIBLE, torch.iinfo(needs.dtype).max)
    by_score = scores.sort(dim=1, descending=True, stable=True).indices
    by_need = needs.gather(1, by_score).sort(dim=1, stable=True).indices
    order = by_score.gather(1, by_need)
    sorted_needs = needs.gather(1, order)
    numbers = torch.arange(order.shape[1], device=order.device).expand_as(order)
    opens = torch.cat([torch.ones_like(order[:, :1]).bool(), sorted_needs[:, 1:] != sorted_needs[:, :-1]], 1)
    ranks = numbers - torch.where(opens, numbers, 0).cummax(1).values  # within their bank
    turns = torch.where(ranks < share.unsqueeze(1), 1, 2)
    turns[:, 0] = 0
    turns = turns.masked_fill(sorted_needs == torch.iinfo(needs.dtype).max, 3)
    turns = torch.empty_like(turns).scatter_(1, by_need, turns)  # again by score
    chosen = turns.sort(dim=1, stable=True).indices[:, :width].sort(1).values
    places = by_score.gather(1, chosen)
    needed = needs.gather(1, places)
    ranked = needed.sort(dim=1, stable=True).indices
    return places.gather(1, ranked), needed.gather(1, ranked)


def at_least(scores: Float[Tensor, "batch candidates"], count: Int[Tensor, " batch"]) -> Float[Tensor, "batch 1"]:
    """The score that the `count` best reach; the lowest where there are fewer."""
    ordered = scores.sort(1, descending=True).values
    return ordered.gather(1, (count.clamp(max=scores.shape[1]) - 1).unsqueeze(1))
