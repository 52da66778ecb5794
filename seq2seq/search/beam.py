"""Beam search: several hypotheses a sentence, compared by length-normalised score."""

from copy import copy

from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.network.state import Start, Step
from seq2seq.search.base import Hypothesis, Request
from seq2seq.search.beam_search import Beams, BeamScorer, Expansion, extend, search
from seq2seq.search.constraints import Constraints, Limits


class Beam:
    """Keeps the `beam_size` best open hypotheses of every sentence and returns the `n_best` best ones.

    At every step the continuations of all open hypotheses compete. Those among the `beam_size` best that end are
    finished; the `beam_size` best of the others go on. A sentence is done when it has `beam_size` finished hypotheses,
    when no open one can win any more (scores only fall, so `score / penalty(longest length)` bounds it), or at the
    longest length. Where fewer than `n_best` have finished, open ones follow them. `lookahead`: see BeamScorer.
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
        lookahead: int | None = None,
    ) -> None:
        self.beam_size = beam_size
        self.contest = BeamScorer(beam_size, n_best, length_penalty, alpha, lookahead)
        self.rules = Constraints(max_length_ratio, max_length_extra, min_length_ratio, no_repeat_ngram)

    @property
    def n_best(self) -> int:
        """How many hypotheses of a sentence are returned."""
        return self.contest.n_best

    def extended(self) -> "Beam":
        wider = copy(self)
        wider.contest, wider.beam_size = self.contest.extended(), 2 * self.beam_size
        return wider

    def __call__(self, start: Start, step: Step, request: Request) -> list[list[Hypothesis]]:
        """At most `n_best` hypotheses a sentence, best first; sentences that are done leave the batch."""
        return search(start, step, request, self.rules.limits(request), self.contest, self._grow)

    def _grow(
        self,
        going: Beams,
        likely: Float[Tensor, "batch beam vocabulary"],
        limits: Limits,
        rows: Int[Tensor, " batch"],
    ) -> Expansion:
        limits.apply(likely, going.tokens.shape[2], lambda: going.tokens[..., 1:])
        return extend(going, likely, self.contest.beam_size)
