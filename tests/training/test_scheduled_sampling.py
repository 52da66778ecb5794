"""Scheduled sampling: what the model reads is its own, what it learns is real, and at rate 0 it is likelihood."""

import math
from typing import cast

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from toy_network import toy_batch, toy_model
from toy_objective import BATCH, SMOOTHING, assert_same, gradients

from seq2seq.data.loader.batch import Batch, predicted
from seq2seq.network.model import Model
from seq2seq.special_tokens import BOS, EOS, PAD
from seq2seq.training.criterion import Criterion
from seq2seq.training.objective.base import repeated
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.objective.scheduled_sampling import ScheduledSampling
from seq2seq.training.trainable import Trainable


class Recorder:
    """A network that remembers the targets it read."""

    def __init__(self, network: Model) -> None:
        self.network = network
        self.read: list[Tensor] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.network, name)

    def __call__(self, batch: Batch) -> Tensor:
        self.read.append(batch.target)
        features: Tensor = self.network(batch)
        return features


def rewritten(model: Model, batch: Batch, rate: float, temperature: float, seed: int = 1) -> Tensor:
    """The targets that the second pass reads."""
    recorder = Recorder(model)
    torch.manual_seed(seed)
    ScheduledSampling(rate, 0, 0, temperature)(cast(Trainable, recorder), batch, Criterion(SMOOTHING), 1)
    first, second = recorder.read
    assert torch.equal(first, batch.target)
    return second


def test_scheduled_sampling_at_rate_0_is_likelihood_bit_for_bit() -> None:
    model = toy_model(dropout=0.3).train()
    plain = gradients(Likelihood(), model)
    for objective in (
        ScheduledSampling(0.0, 0, 0, 1.0),
        ScheduledSampling(1.0, 2, 0, 1.0),
        ScheduledSampling(1.0, 1, 5, 1.0),
    ):
        assert_same(gradients(objective, model), plain, rtol=0, atol=0)
    assert not torch.equal(gradients(ScheduledSampling(1.0, 1, 5, 1.0), model, update=6)[0].nll, plain[0].nll)


def test_at_rate_1_the_model_reads_its_own_predictions() -> None:
    model = toy_model()
    read = rewritten(model, BATCH, 1.0, 0.0)
    logits = model.logits(model(BATCH))
    logits[:, [PAD, BOS, EOS]] = -math.inf
    wanted = BATCH.target.clone()
    wanted[:, 1:][BATCH.target_mask[:, 1:]] = logits.argmax(-1)
    for row, real, ours, before in zip(wanted, BATCH.target_mask, read, BATCH.target, strict=True):
        last = int(real.sum()) - 1
        assert ours[0] == before[0] and torch.equal(ours[last:], before[last:])  # tag, EOS and padding stay
        assert torch.equal(ours[1:last], row[1:last])
    assert not torch.equal(read, BATCH.target)


def test_the_second_pass_learns_the_real_tokens_from_what_it_reads() -> None:
    model = toy_model()
    read = rewritten(model, BATCH, 1.0, 0.0)
    features = model(BATCH._replace(target=read))
    expected = functional.cross_entropy(model.logits(features), predicted(BATCH), reduction="sum")
    found = gradients(ScheduledSampling(1.0, 0, 0, 0.0), model)[0].nll
    torch.testing.assert_close(found, expected.detach())


def test_predictions_are_as_frequent_as_the_temperature_says() -> None:
    model = toy_model()
    rows = 3000
    batch = repeated(toy_batch([[4, 7]], [[5, 8]]), rows)
    drawn = rewritten(model, batch, 1.0, 2.0)[:, 1].bincount(minlength=13) / rows
    logits = model.logits(model(batch))[0] / 2
    logits[[PAD, BOS, EOS]] = -math.inf
    torch.testing.assert_close(drawn, logits.softmax(-1).detach(), rtol=0, atol=4 * 0.5 / rows**0.5)
    kept = float((rewritten(model, batch, 0.3, 0.0)[:, 1] == 8).float().mean())
    assert kept == pytest.approx(0.7, abs=0.04)


def test_a_rows_inputs_do_not_depend_on_its_neighbours() -> None:
    model = toy_model()
    together = rewritten(model, BATCH, 1.0, 0.0)
    for number, real in enumerate(BATCH.target_mask):
        row = Batch(*(tensor[number : number + 1] for tensor in BATCH))
        assert torch.equal(rewritten(model, row, 1.0, 0.0)[0, real], together[number, real])


@pytest.mark.parametrize("update, expected", [(9, 0.0), (10, 0.0), (11, 0.05), (15, 0.25), (20, 0.5), (99, 0.5)])
def test_the_probability_rises_in_a_line(update: int, expected: float) -> None:
    assert ScheduledSampling(0.5, 10, 10, 1.0).probability(update) == pytest.approx(expected)


@pytest.mark.usefixtures("all_formats")
def test_the_first_pass_takes_no_gradient_from_the_second() -> None:
    """Autocast remembers weights that were cast without gradient."""
    model = toy_model(width=16)
    with torch.autocast("cpu", torch.bfloat16):
        read = rewritten(model, BATCH, 1.0, 0.0)
        torch.clear_autocast_cache()
        found = gradients(ScheduledSampling(1.0, 0, 0, 0.0), model)
        torch.clear_autocast_cache()
        features = model(BATCH._replace(target=read))
        loss = Criterion(SMOOTHING)(features, model.output_weight, model.output_bias, predicted(BATCH))
    parameters = list(model.parameters())
    expected = torch.autograd.grad(loss.smoothed, parameters, allow_unused=True, materialize_grads=True)
    assert_same(found, (loss, list(expected)), rtol=1e-5, atol=1e-6)
