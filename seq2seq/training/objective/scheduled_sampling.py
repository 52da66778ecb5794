"""Scheduled sampling (Bengio et al. 2015): the decoder learns to continue its own predictions."""

import math

import torch
from torch import Tensor

from seq2seq import special_tokens as symbols
from seq2seq.data.loader.batch import Batch, predicted
from seq2seq.errors import ConfigError
from seq2seq.training.criterion import Criterion, Loss
from seq2seq.training.objective.base import Generating, chunks, several_passes
from seq2seq.training.trainable import Trainable

NEVER_READ = sorted(symbols.IGNORED)  # in translation, so neither here


class ScheduledSampling:
    """Cross-entropy of the real tokens, with a part of the inputs replaced by the model's own predictions.

    Two passes, as for all decoders that read a whole target (Mihaylova & Martins 2019; Duckworth et al. 2019): the
    first reads the real tokens and predicts each of them, without gradient but with dropout (its mistakes are then
    those of a model that has not memorised the text); the second reads some predictions in place of real tokens:

        target   <2de>  Ein   Hund  schläft  EOS
        reads    <2de>  Ein   Mann  schläft              Mann: predicted after `<2de> Ein`
        learns   Ein    Hund  schläft  EOS

    Every input after the tag is replaced with a probability that rises linearly from 0 at update `start` to `rate`,
    `warmup` updates later. Predictions are drawn from softmax(logits / temperature) without PAD, BOS and EOS; with
    temperature 0 they are the most probable. At probability 0 this is likelihood. Raises ConfigError.
    """

    def __init__(self, rate: float, start: int, warmup: int, temperature: float) -> None:
        if not 0 <= rate <= 1:
            raise ConfigError(f"objective.rate: expected a probability from 0 to 1, got {rate}")
        for name, value in (("start", start), ("warmup", warmup)):
            if value < 0:
                raise ConfigError(f"objective.{name}: expected updates, at least 0, got {value}")
        if not 0 <= temperature < math.inf:
            raise ConfigError(f"objective.temperature: expected 0 (the likeliest) or more, got {temperature}")
        self.rate, self.start, self.warmup, self.temperature = rate, start, warmup, temperature

    def __call__(self, network: Trainable, batch: Batch, criterion: Criterion, update: int) -> Loss:
        """Raises ConfigError for a network that does not read its own predictions."""
        several_passes(network, "scheduled_sampling")
        if not isinstance(network, Generating):
            raise ConfigError(
                "objective=scheduled_sampling: this network does not read what it predicts; set objective=likelihood"
            )
        probability = self.probability(update)
        read = self.replaced(network, batch, probability) if probability else batch
        return criterion(network(read), network.output_weight, network.output_bias, predicted(batch))

    def probability(self, update: int) -> float:
        """Of an input to be replaced, in this update."""
        if not self.warmup:
            return self.rate if update >= self.start else 0.0
        return self.rate * min(1.0, max(0.0, (update - self.start) / self.warmup))

    @torch.no_grad()
    def replaced(self, network: Trainable, batch: Batch, probability: float) -> Batch:
        """The batch with predictions for some of the inputs."""
        features = network(batch)
        torch.clear_autocast_cache()  # torch before 2.13 keeps weights cast without gradient for the second pass
        mask = batch.target_mask[:, 1:]
        inputs = mask.clone()
        inputs[:, :-1] &= mask[:, 1:]  # all but EOS
        inputs[:, -1] = False
        chosen = inputs & (torch.rand(mask.shape, device=mask.device) < probability)
        target = batch.target.clone()
        target[:, 1:][chosen] = self._predicted(network, features[chosen[mask]])
        return batch._replace(target=target)

    def _predicted(self, network: Trainable, features: Tensor) -> Tensor:
        """A token for each of the features, drawn from the output layer's distribution."""
        words = [features.new_zeros(0, dtype=torch.long)]
        for part in chunks(features, len(network.output_weight)):
            logits = (part @ network.output_weight.T + network.output_bias).float()
            logits[:, NEVER_READ] = -math.inf
            if self.temperature:  # Gumbel (1954): the highest of the noisy logits is drawn from their softmax
                logits = logits / self.temperature - torch.empty_like(logits).exponential_().log()
            words.append(logits.argmax(-1))
        return torch.cat(words)
