"""Beam search: several hypotheses a sentence, compared by length-normalised score."""

from copy import copy

from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.search.base import Hypothesis, Request, Start, Step
from seq2seq.search.beam_search import Beams, Contest, Grown, extend, search
from seq2seq.search.constraints import Limits, Rules


class Beam:
    """Keeps the `width` best open hypotheses of every sentence and returns the `best` best ones.

    At every step the continuations of all open hypotheses compete. Those among the `width` best that end are finished;
    the `width` best of the others go on. A sentence is done when it has `width` finished hypotheses, when no open one
    can win any more (scores only fall, so `score / penalty(longest length)` bounds it), or at the longest length.
    Where fewer than `best` have finished, open ones follow them. `lookahead`: see Contest.
    """

    def __init__(
        self,
        width: int,
        best: int,
        length_penalty: str,
        alpha: float,
        length_factor: float,
        length_offset: int,
        shortest_factor: float,
        no_repeat: int,
        lookahead: int | None = None,
    ) -> None:
        self.width = width
        self.contest = Contest(width, best, length_penalty, alpha, lookahead)
        self.rules = Rules(length_factor, length_offset, shortest_factor, no_repeat)

    @property
    def best(self) -> int:
        """How many hypotheses of a sentence are returned."""
        return self.contest.best

    def extended(self) -> "Beam":
        """See Listing."""
        wider = copy(self)
        wider.contest, wider.width = self.contest.extended(), 2 * self.width
        return wider

    def __call__(self, start: Start, step: Step, request: Request) -> list[list[Hypothesis]]:
        """At most `best` hypotheses a sentence, best first; sentences that are done leave the batch."""
        return search(start, step, request, self.rules.limits(request), self.contest, self._grow)

    def _grow(
        self,
        going: Beams,
        likely: Float[Tensor, "batch beam vocabulary"],
        limits: Limits,
        rows: Int[Tensor, " batch"],
    ) -> Grown:
        limits.apply(likely, going.tokens.shape[2], lambda: going.tokens[..., 1:])
        return extend(going, likely, self.contest.width)
