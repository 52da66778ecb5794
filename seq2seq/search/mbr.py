"""Minimum Bayes risk: the translation that is most like all the others that the model would give."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.network.state import Start, Step
from seq2seq.search.base import HasBeamSize, Hypothesis, Request, Search


@runtime_checkable
class Utility(Protocol):
    """How good texts are, measured by each other; see evaluation/sentence.py."""

    def pairwise(self, texts: Sequence[str], language: str) -> Float[Tensor, "texts texts"]:
        """Row i, column j: the score of text i, were text j its reference."""
        ...


class MBR:
    """Of the translations that `candidates` finds, the one with the highest mean utility against all of them.

        choice = argmax over h of sum over r of utility(h, r)       Kumar & Byrne 2004; Eikema & Aziz 2020, equation 6

    Samples approximate the model's distribution: one that was drawn twice counts twice. Those of an n-best list count
    equally. At most `n_best` different texts are returned, best first; their scores are the model's. It compares texts,
    for which it needs a tokenizer: see `Reranker`. Raises ConfigError.
    """

    def __init__(self, candidates: Search, utility: Utility, n_best: int) -> None:
        if n_best < 1:
            raise ConfigError(f"search.n_best: expected a positive int, got {n_best}")
        self.candidates = candidates
        self.utility = utility
        self.n_best = n_best
        self.beam_size = candidates.beam_size if isinstance(candidates, HasBeamSize) else 1

    def __call__(self, start: Start, step: Step, request: Request) -> list[list[Hypothesis]]:
        """All candidates; `rerank` chooses among them."""
        return self.candidates(start, step, request)

    def rerank(self, texts: Sequence[str], language: str) -> list[int]:
        """The numbers of the `n_best` best different texts; of equally good ones the first."""
        places: dict[str, int] = {}
        for place, text in enumerate(texts):
            places.setdefault(text, place)
        different = list(places)
        numbers = {text: number for number, text in enumerate(different)}
        votes = torch.tensor([numbers[text] for text in texts]).bincount(minlength=len(different))
        utility = self.utility.pairwise(different, language)
        order = (utility @ votes.to(utility.dtype)).sort(descending=True, stable=True).indices.tolist()
        return [places[different[number]] for number in order[: self.n_best]]
