"""A translation that leaves words of the source unattended scores less."""

import threading
from functools import partial
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.network.attention.hooks import add_hook, attentions_of, with_shared_weights
from seq2seq.network.ensemble import Ensemble
from seq2seq.network.model import Model
from seq2seq.network.state import State

FLOOR = 1e-4  # attention that a word has at least: without any, no translation could end


class CoveragePenalty:
    """A penalty for source words without attention (Wu et al. 2016, equation 14).

        cp(X; Y) = weight * sum over source words i of log min(1, sum over target tokens j of a_ij)

    a_ij: the attention of token j (EOS too) to word i, of the last attention over words; of an ensemble the weighted
    mean. It is added to the normalised score of a translation that ends, as in the paper: see `Request.ending`;
    log-probabilities do not change. Unlike there, the source row's tag and EOS are no words, and no word counts as less
    attended than 1e-4. Raises ConfigError if no attention reads words.
    """

    def __init__(self, network: Model | Ensemble, weight: float) -> None:
        if not weight > 0:
            raise ConfigError(f"coverage_penalty: expected a positive number, or 0 for no penalty, got {weight}")
        self.weight = weight
        self._heard = threading.local()  # a thread's own weights, those of each model
        models = network.models if isinstance(network, Ensemble) else [network]
        self.shares = network.shares if isinstance(network, Ensemble) else [1.0]
        copies = [with_shared_weights(model) for model in models]
        for number, model in enumerate(copies):
            attentions = attentions_of(model)
            if not attentions:
                raise ConfigError(
                    "coverage_penalty: this model has no attention that looks at words (attention=none or last, or "
                    "decoder.attend=none): set coverage_penalty=0"
                )
            add_hook(attentions[-1], partial(self._hear, number))
        self.network: Model | Ensemble = Ensemble(copies, self.shares) if isinstance(network, Ensemble) else copies[0]

    def start(self, source: Int[Tensor, "batch source"], mask: Bool[Tensor, "batch source"]) -> tuple[State, State]:
        """The state knows what attention each position has had, and which are words."""
        memory, state = self.network.start(source, mask)
        last = mask.long().cumsum(1) == mask.sum(1, keepdim=True)
        words = mask & ~last
        words[:, :1] = False
        return memory, (state, torch.zeros(mask.shape, device=mask.device).unsqueeze(1), words.unsqueeze(1))

    def step(
        self, tokens: Int[Tensor, "batch beam"], state: State, memory: State
    ) -> tuple[Float[Tensor, "batch beam vocabulary"], State]:
        """Log-probabilities of the next token of every hypothesis, unchanged, and the states after it."""
        own, covered, words = cast(tuple[State, Tensor, Tensor], state)
        self._heard.weights = [None] * len(self.shares)
        scores, own = self.network.step(tokens, own, memory)
        for share, weights in zip(self.shares, self._heard.weights, strict=True):
            covered = covered + share * weights.float()
        return scores, (own, covered, words.expand(covered.shape))

    def ending(self, state: State) -> Float[Tensor, "batch beam"]:
        """What is added to the normalised score of every hypothesis that ends after this step; at most 0."""
        _, covered, words = cast(tuple[State, Tensor, Tensor], state)
        return self.weight * covered.clamp(FLOOR, 1).log().masked_fill(~words, 0).sum(-1)

    def _hear(self, number: int, weights: Tensor) -> None:
        self._heard.weights[number] = weights
