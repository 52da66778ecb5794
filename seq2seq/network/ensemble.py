"""Several models behind the two functions of one."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.network.model import Model
from seq2seq.network.state import State


class Ensemble:
    """The probability of the next token is the weighted mean of the models' probabilities (Sutskever et al. 2014).

    Weights are scaled to sum to 1. The models may differ in everything but their vocabularies. States and memories are
    those of the models side by side. Raises ConfigError.
    """

    def __init__(self, models: Sequence[Model], weights: Sequence[float]) -> None:
        if len(weights) != len(models) or min(weights) <= 0:
            raise ConfigError(
                f"weights: expected a positive number for each of the {len(models)} models, got {list(weights)}"
            )
        self.models = list(models)
        self.shares = [weight / sum(weights) for weight in weights]

    def start(self, source: Int[Tensor, "batch source"], mask: Bool[Tensor, "batch source"]) -> tuple[State, State]:
        begun = [model.start(source, mask) for model in self.models]
        return tuple(memory for memory, _ in begun), tuple(state for _, state in begun)

    def step(
        self, tokens: Int[Tensor, "batch beam"], state: State, memory: State
    ) -> tuple[Float[Tensor, "batch beam vocabulary"], State]:
        """Log-probabilities of the next token of every hypothesis, and the states of all models."""
        mixed: Tensor | None = None
        states = []
        for model, share, own, source in zip(self.models, self.shares, _each(state), _each(memory), strict=True):
            likely, after = model.step(tokens, own, source)
            part = likely.exp().mul_(share)
            mixed = part if mixed is None else mixed.add_(part)
            states.append(after)
        assert mixed is not None
        return mixed.clamp_min_(torch.finfo(mixed.dtype).tiny).log_(), tuple(states)


def _each(states: State) -> tuple[State, ...]:
    return cast(tuple[State, ...], states)
