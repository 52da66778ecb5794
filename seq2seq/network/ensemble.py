"""Ensembles of models, and fusion with a language model: each looks like a single model."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.network.language_model import LanguageModel
from seq2seq.network.model import Model
from seq2seq.network.state import AutoregressiveModel, State, map_state


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
        started = [model.start(source, mask) for model in self.models]
        return tuple(memory for memory, _ in started), tuple(state for _, state in started)

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


class Fusion:
    """Shallow fusion (Gulcehre et al. 2015, section 4.1): adds the scores of a language model.

        score(token) = log p_translator(token | source, tokens before) + weight * log p_language_model(token | before)

    This includes EOS. The sum is not normalised: scores are no log-probabilities, but they never rise, so that searches
    end correctly. Both must have the same target tokenizer. Raises ConfigError.
    """

    def __init__(self, network: AutoregressiveModel, language_model: LanguageModel, weight: float) -> None:
        if not weight > 0:
            raise ConfigError(f"fusion.weight: expected a positive number, the language model's weight, got {weight}")
        self.network = network
        self.language_model = language_model
        self.weight = weight

    def start(self, source: Int[Tensor, "batch source"], mask: Bool[Tensor, "batch source"]) -> tuple[State, State]:
        """The language model starts with the first target token and ignores the source."""
        memory, state = self.network.start(source, mask)
        before = map_state(lambda tensor: tensor.unsqueeze(1), self.language_model.initial_state(len(source)))
        return memory, (state, before)

    def step(
        self, tokens: Int[Tensor, "batch beam"], state: State, memory: State
    ) -> tuple[Float[Tensor, "batch beam vocabulary"], State]:
        """Fused scores of the next token of every hypothesis, and the states of both."""
        own, before = cast(tuple[State, State], state)
        scores, own = self.network.step(tokens, own, memory)
        likely, before = self.language_model.step(tokens, before, ())
        return scores.add_(likely, alpha=self.weight), (own, before)

    @property
    def ending(self) -> Callable[[State], Tensor] | None:
        """The ending penalty of the translator, if it has one."""
        price: Callable[[State], Tensor] | None = getattr(self.network, "ending", None)
        return None if price is None else lambda state: price(cast(tuple[State, State], state)[0])
