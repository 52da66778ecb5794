"""Given translations read again, all positions at once: how probable each token is, and where attention looked."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.network.attention.hooks import add_hook, attentions_of, with_shared_weights
from seq2seq.network.coverage_penalty import CoveragePenalty
from seq2seq.network.ensemble import Ensemble, Fusion
from seq2seq.network.language_model import LanguageModel
from seq2seq.network.model import Model

LOGITS = 2**22  # in memory at once: 16 MB in fp32, a tenth faster than 64 MB, which exceeds caches


class TeacherForced(NamedTuple):
    """Results for every predicted position of a batch's target rows (`target[:, 1:]`); undefined on padding.

    scores: in nats. weights: for each model those of all its attentions, the lowest layer first, each with sum 1 over
    the source row; empty unless requested. shares: the weights of the models.
    """

    scores: Float[Tensor, "batch target"]
    weights: tuple[tuple[Float[Tensor, "batch target source"], ...], ...]
    shares: tuple[float, ...]

    def looked(self) -> Float[Tensor, "batch target source"]:
        """Where each position looked: the mean over models of their last attention, which aligns better than others."""
        return _looked(self.weights, self.shares)


def _looked(weights: Sequence[Sequence[Tensor]], shares: Sequence[float]) -> Tensor:
    last = [(share, every[-1]) for share, every in zip(shares, weights, strict=True) if every]
    total = sum(share for share, _ in last)
    return torch.stack([weights * (share / total) for share, weights in last]).sum(0)


class TeacherForcing:
    """Reads given translations with a network: a model, the models of an ensemble, and what is built around them.

    A token's score is what a search adds for it: with fusion the weighted sum of log-probabilities, while a coverage
    penalty belongs to no token. It reads with a copy of the modules that shares their weights, because what listens to
    the attentions must not listen to a search in another thread. Raises ConfigError where there is no model inside.
    """

    def __init__(self, network: object) -> None:
        self.beside: list[tuple[LanguageModel, float]] = []
        while not isinstance(network, Model | Ensemble):
            if isinstance(network, Fusion):
                self.beside.append((network.language_model, network.weight))
            elif not isinstance(network, CoveragePenalty):
                raise ConfigError("tokens, alignments: this network has no model that could read a translation")
            network = network.network
        models = network.models if isinstance(network, Ensemble) else [network]
        self.shares = network.shares if isinstance(network, Ensemble) else [1.0]
        self.readers = [_Reader(model) for model in models]

    def check(self) -> None:
        """Raises ConfigError where no model has an attention that could say what is aligned with what."""
        if not any(reader.attentions for reader in self.readers):
            raise ConfigError(
                "alignments: this model has no attention that looks at words (attention=none or last, or "
                "decoder.attend=none): use a model that has one, or leave alignments out"
            )

    def __call__(self, batch: Batch, weights: bool) -> TeacherForced:
        """Scores of the batch's targets, and where asked the weights of all attentions."""
        read = [reader(batch, weights) for reader in self.readers]
        shares = torch.tensor(self.shares, device=batch.source.device).log()
        every = zip(self.readers, read, strict=True)
        scores = torch.stack([_scores(reader.model, features, batch) for reader, (features, _) in every], -1)
        mixed = (scores + shares).logsumexp(-1) if len(read) > 1 else scores.squeeze(-1)
        for language_model, weight in self.beside:
            mixed = mixed + weight * _scores(language_model, language_model(batch), batch)
        return TeacherForced(mixed, tuple(tuple(one) for _, one in read), tuple(self.shares))

    def looked(self, batch: Batch) -> Float[Tensor, "batch target source"]:
        """Where each position looked (see TeacherForced), without the scores, which take most of the time."""
        return _looked([reader(batch, True)[1] for reader in self.readers], self.shares)


class _Reader:
    """One model."""

    def __init__(self, model: Model) -> None:
        self.model = with_shared_weights(model)
        self.attentions = attentions_of(self.model)
        self._heard = threading.local()  # each thread's own weights, by attention
        for number, attention in enumerate(self.attentions):
            add_hook(attention, partial(self._hear, number))

    def __call__(self, batch: Batch, weights: bool) -> tuple[Tensor, list[Tensor]]:
        collected: list[list[Tensor]] | None = [[] for _ in self.attentions] if weights else None
        self._heard.weights = collected
        features = self.model(batch)
        self._heard.weights = None
        return features, [torch.cat(parts, 1).float() for parts in collected or []]

    def _hear(self, number: int, weights: Tensor) -> None:
        collected = getattr(self._heard, "weights", None)
        if collected is not None:
            collected[number].append(weights)


def _scores(network: Model | LanguageModel, features: Tensor, batch: Batch) -> Tensor:
    """The log-probabilities of the real tokens, each at its place."""
    mask = batch.target_mask[:, 1:]
    gold = batch.target[:, 1:][mask]
    size = max(1, LOGITS // len(network.output_weight))
    result = []
    for first in range(0, len(gold), size):
        likely = network.logits(features[first : first + size]).float().log_softmax(-1)
        result.append(likely.gather(1, gold[first : first + size].unsqueeze(1)).squeeze(1))
    return torch.zeros(mask.shape, device=mask.device).masked_scatter_(mask, torch.cat(result))
