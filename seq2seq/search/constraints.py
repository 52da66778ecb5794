"""Constraints on translations for all searches: lengths, prefixes, n-gram blocking, banned phrases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.search.base import IMPOSSIBLE, Request
from seq2seq.special_tokens import EOS, PAD

UNLIKELY = -20.0  # nats a token of a prefix costs if its probability is 0
NOWHERE = -1  # in place of an id, where there is none


class Constraints:
    """Lengths in tokens, EOS included, relative to the source row, and blocked repetitions.

    At most `max_length_ratio` times the source's tokens plus `max_length_extra`; at least `min_length_ratio` times
    them; no run of `no_repeat_ngram` tokens comes twice (n-gram blocking, Paulus et al. 2018, section 2.5), 0 allows
    all. A request may ask for no_repeat_ngram too: both hold. Raises ConfigError.
    """

    def __init__(
        self, max_length_ratio: float, max_length_extra: int, min_length_ratio: float, no_repeat_ngram: int
    ) -> None:
        if max_length_ratio < 0:
            raise ConfigError(f"search.max_length_ratio: expected a number of at least 0, got {max_length_ratio}")
        if max_length_extra < 2:
            raise ConfigError(
                f"search.max_length_extra: expected an int of at least 2 (one token and EOS), got {max_length_extra}"
            )
        if not 0 <= min_length_ratio <= max_length_ratio:
            raise ConfigError(
                "search.min_length_ratio: expected a number from 0 (no shortest length) to search.max_length_ratio "
                f"({max_length_ratio}), got {min_length_ratio}"
            )
        if no_repeat_ngram < 0:
            raise ConfigError(
                f"search.no_repeat_ngram: expected a positive int, or 0 to allow all, got {no_repeat_ngram}"
            )
        self.max_length_ratio, self.max_length_extra = max_length_ratio, max_length_extra
        self.min_length_ratio, self.no_repeat_ngram = min_length_ratio, no_repeat_ngram

    def limits(self, request: Request) -> "Limits":
        """What they mean for a batch. Raises ConfigError where it asks for phrases, which another search is for."""
        if any(request.required):
            raise ConfigError("required phrases: this search cannot promise them; set search=constrained")
        device, size = request.first.device, request.mask.sum(1)
        longest = (size * self.max_length_ratio + self.max_length_extra).long()
        prefixes = None
        if any(request.prefixes):
            prefixes = _filled(request.prefixes).to(device)
            longest = longest.maximum((prefixes != NOWHERE).sum(1) + 1)
        blocked = [count for count in (self.no_repeat_ngram, request.no_repeat_ngram) if count]
        return Limits(
            request.forbidden,
            longest,
            (size * self.min_length_ratio).long() if self.min_length_ratio else None,
            prefixes,
            banned(request.banned, device) if any(request.banned) else None,
            min(blocked, default=0),
            _complete(request) if any(request.complete) else None,
        )


@dataclass(frozen=True)
class Phrases:
    """Phrases of every sentence: each one's last token, and the tokens before it, filled up on the left.

    Where a sentence has fewer than others, PAD fills up, which never comes anyway.
    """

    heads: Int[Tensor, "batch phrases before"]
    lasts: Int[Tensor, "batch phrases"]

    def completed_by(self, history: Int[Tensor, "batch beam past"]) -> Bool[Tensor, "batch beam phrases"]:
        """Whether a phrase's last token would complete it after `history`."""
        before = self.heads.shape[2]
        missing = max(0, before - history.shape[2])
        tail = torch.nn.functional.pad(history, (missing, 0), value=NOWHERE - 1)[
            ..., history.shape[2] + missing - before :
        ]
        heads = self.heads.unsqueeze(1)
        return ((heads == NOWHERE) | (heads == tail.unsqueeze(2))).all(-1)

    def pick(self, rows: Int[Tensor, " kept"]) -> "Phrases":
        """Those of the sentences at `rows`."""
        return Phrases(self.heads[rows], self.lasts[rows])


@dataclass(frozen=True)
class Complete:
    """Phrases that must end with a word, as banned phrases with each of the tokens that would continue it."""

    phrases: Phrases
    continuing: Bool[Tensor, "batch vocabulary"]

    def block(
        self,
        scores: Float[Tensor, "batch beam vocabulary"],
        history: Int[Tensor, "batch beam past"],
        spared: Int[Tensor, "batch beam spared"] | None,
    ) -> None:
        """Makes those tokens impossible, in place, where a phrase has just ended, but for what is spared."""
        ended = (self.phrases.completed_by(history) & (self.phrases.lasts != PAD).unsqueeze(1)).any(-1, keepdim=True)
        free = None if spared is None else scores.gather(-1, spared)
        scores.masked_fill_(ended & self.continuing.unsqueeze(1), IMPOSSIBLE)
        if spared is not None and free is not None:
            scores.scatter_(-1, spared, free)

    def pick(self, rows: Int[Tensor, " kept"]) -> "Complete":
        """Those of the sentences at `rows`."""
        return Complete(self.phrases.pick(rows), self.continuing[rows])


@dataclass(frozen=True)
class Limits:
    """The rules of a batch under way; what is None, or 0, costs nothing."""

    forbidden: Int[Tensor, " forbidden"]
    longest: Int[Tensor, " batch"]
    shortest: Int[Tensor, " batch"] | None
    prefixes: Int[Tensor, "batch prefix"] | None
    banned: Phrases | None
    no_repeat_ngram: int
    complete: Complete | None = None

    def pick(self, rows: Int[Tensor, " kept"]) -> "Limits":
        """Those of the sentences at `rows`."""
        return replace(
            self,
            longest=self.longest[rows],
            shortest=None if self.shortest is None else self.shortest[rows],
            prefixes=None if self.prefixes is None else self.prefixes[rows],
            banned=None if self.banned is None else self.banned.pick(rows),
            complete=None if self.complete is None else self.complete.pick(rows),
        )

    def apply(
        self,
        scores: Float[Tensor, "batch beam vocabulary"],
        length: int,
        history: Callable[[], Tensor],
        spared: Int[Tensor, "batch beam spared"] | None = None,
    ) -> None:
        """Makes impossible, in place, what must not be token number `length` of a hypothesis.

        `history()`: the tokens before it, `[batch, beam, length - 1]`. `spared`: ids that are exempt from n-gram
        blocking. A prefix precedes all other constraints. If these leave nothing, a hypothesis may end.
        """
        given = self.shortest, self.prefixes, self.banned, self.complete
        if all(one is None for one in given) and not self.no_repeat_ngram:
            scores.index_fill_(-1, self.forbidden, IMPOSSIBLE)
            if length == 1:
                scores[..., EOS] = IMPOSSIBLE
            return
        ending, begun = scores[..., EOS].clone(), self._begun(scores, length)
        scores.index_fill_(-1, self.forbidden, IMPOSSIBLE)
        if self.no_repeat_ngram:
            _block_repeats(scores, history(), self.no_repeat_ngram, spared)
        if self.banned is not None:
            _block(scores, self.banned.lasts.unsqueeze(1), self.banned.completed_by(history()))
        if self.complete is not None and length > 1:
            self.complete.block(scores, history(), spared)
        if length == 1:
            scores[..., EOS] = IMPOSSIBLE
        elif self.shortest is not None:
            scores[..., EOS].masked_fill_((self.shortest > length).unsqueeze(1), IMPOSSIBLE)
        scores[..., EOS] = torch.where(scores.amax(-1) == IMPOSSIBLE, ending, scores[..., EOS])
        if begun is not None:
            rows, ids, values = begun
            scores[rows] = torch.full_like(scores[rows], IMPOSSIBLE).scatter_(-1, ids, values)

    def _begun(self, scores: Float[Tensor, "batch beam vocabulary"], length: int) -> "tuple[Tensor, ...] | None":
        """The rows whose token number `length` is given, these tokens, and what they score, if there are any."""
        if self.prefixes is None or length > self.prefixes.shape[1]:
            return None
        rows = torch.nonzero(self.prefixes[:, length - 1] != NOWHERE).flatten()
        ids = self.prefixes[rows, length - 1][:, None, None].expand(-1, scores.shape[1], 1)
        return rows, ids, scores[rows].gather(-1, ids).clamp(min=UNLIKELY)


def banned(phrases: Sequence[Sequence[Sequence[int]]], device: torch.device) -> Phrases:
    """The phrases of every sentence that must not occur; empty ones are none."""
    rows = [[phrase for phrase in row if len(phrase)] for row in phrases]
    count = max(len(row) for row in rows)
    before = max((len(phrase) for row in rows for phrase in row), default=1) - 1
    heads, lasts = torch.full((len(rows), count, before), NOWHERE), torch.full((len(rows), count), PAD)
    for row, number, phrase in ((row, number, one) for row, ones in enumerate(rows) for number, one in enumerate(ones)):
        *head, lasts[row, number] = phrase
        heads[row, number, before - len(head) :] = torch.tensor(head, dtype=torch.long)
    return Phrases(heads.to(device), lasts.to(device))


def _complete(request: Request) -> Complete:
    assert request.continuing is not None, "complete phrases come with the tokens that go on with a word"
    phrases = [[[*phrase, EOS] for phrase in row if len(phrase)] for row in request.complete]
    size = len(request.first)
    return Complete(banned(phrases, request.first.device), request.continuing.expand(size, -1))


def _filled(rows: Sequence[Sequence[int]]) -> Int[Tensor, "batch longest"]:
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[NOWHERE] * (longest - len(row))] for row in rows])


def _block(
    scores: Float[Tensor, "batch beam vocabulary"],
    ids: Int[Tensor, "batch #beam several"],
    where: Bool[Tensor, "batch beam several"],
) -> None:
    """Makes those ids impossible where that is true; adding 0 to the others leaves them, however often they come."""
    shares = torch.zeros_like(where, dtype=scores.dtype).masked_fill_(where, IMPOSSIBLE)
    scores.scatter_add_(-1, ids.expand_as(where), shares)


def _block_repeats(
    scores: Float[Tensor, "batch beam vocabulary"],
    history: Int[Tensor, "batch beam past"],
    size: int,
    spared: Int[Tensor, "batch beam spared"] | None,
) -> None:
    """Makes impossible what would complete a run of `size` tokens that is in the history already."""
    if history.shape[2] < size:
        return
    runs = history.unfold(2, size, 1)  # batch beam runs size
    last = history[..., history.shape[2] - size + 1 :].unsqueeze(2)
    free = None if spared is None else scores.gather(-1, spared)
    _block(scores, runs[..., -1], (runs[..., :-1] == last).all(-1))
    if spared is not None and free is not None:
        scores.scatter_(-1, spared, free)
