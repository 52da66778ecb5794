"""Objectives: each equals its paper's formula, and where its setting says so it is plain likelihood."""

import math
from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toy_language import toy_language_model
from toy_network import toy_batch, toy_model
from toy_training import ToyModel

from seq2seq.data.batch import Batch, predicted
from seq2seq.errors import ConfigError
from seq2seq.network.model import Model
from seq2seq.symbols import BOS, EOS, PAD
from seq2seq.training.carried import Carried
from seq2seq.training.criterion import Criterion, Loss
from seq2seq.training.network import Network
from seq2seq.training.objective import r_drop
from seq2seq.training.objective.base import Objective, repeated
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.objective.r_drop import RDrop
from seq2seq.training.objective.scheduled_sampling import ScheduledSampling

SMOOTHING = 0.1
BATCH = toy_batch([[4, 7, 8, 9], [4, 10, 6], [5, 11]], [[5, 8, 7], [4, 6, 10, 12, 9], [5, 11]])


def gradients(objective: Objective, model: Model, batch: Batch = BATCH, update: int = 1) -> tuple[Loss, list[Tensor]]:
    """The loss, and the gradient of every parameter, with dropout drawn from a fixed seed."""
    torch.manual_seed(1)
    loss = objective(model, batch, Criterion(SMOOTHING), update)
    parameters = list(model.parameters())
    found = torch.autograd.grad(loss.smoothed, parameters, allow_unused=True, materialize_grads=True)
    return loss, list(found)


def assert_same(
    one: tuple[Loss, list[Tensor]], other: tuple[Loss, list[Tensor]], rtol: float = 1e-4, atol: float = 1e-5
) -> None:
    for left, right in zip((*one[0], *one[1]), (*other[0], *other[1]), strict=True):
        torch.testing.assert_close(left, right, rtol=rtol, atol=atol)


class Written:
    """R-Drop as it is written: all logits at once, and autograd."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def __call__(self, network: Network, batch: Batch, criterion: Criterion, update: int) -> Loss:
        features = network(repeated(batch, 2)).double()
        logits = functional.linear(features, network.output_weight.double(), network.output_bias.double())
        gold = predicted(batch)
        one, two = logits.chunk(2)
        losses = [
            functional.cross_entropy(part, gold, reduction="sum", label_smoothing=SMOOTHING) for part in (one, two)
        ]
        plain = [functional.cross_entropy(part, gold, reduction="sum") for part in (one, two)]
        p, q = one.log_softmax(-1), two.log_softmax(-1)
        there = functional.kl_div(q, p, reduction="sum", log_target=True)  # KL(p || q)
        back = functional.kl_div(p, q, reduction="sum", log_target=True)
        correct = torch.stack([(part.argmax(-1) == gold).sum() for part in (one, two)]).sum() // 2
        smoothed = torch.stack(losses).mean() + self.alpha / 2 * (there + back) / 2
        return Loss(smoothed.float(), torch.stack(plain).mean().float().detach(), correct, len(gold))


@pytest.mark.parametrize("alpha", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("chunk", [1, 2 * 13 * 3, 10**9])
def test_r_drop_is_its_formula(monkeypatch: pytest.MonkeyPatch, alpha: float, chunk: int) -> None:
    monkeypatch.setattr(r_drop, "CHUNK", chunk)
    model = toy_model(dropout=0.4).train()
    loss, found = gradients(RDrop(alpha), model)
    expected = gradients(Written(alpha), model)
    assert_same((loss, found), expected)
    assert (alpha == 0) == torch.equal(loss.smoothed, gradients(RDrop(0.0), model)[0].smoothed)


@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_r_drop_without_dropout_is_likelihood(alpha: float) -> None:
    model = toy_model()
    assert_same(gradients(RDrop(alpha), model), gradients(Likelihood(), model))


def test_r_drop_treats_both_passes_alike() -> None:
    """Exchanged, they give the same loss and each other's gradient."""
    model = toy_model(dropout=0.4).train()
    passes = model(repeated(BATCH, 2)).detach()

    class Said(nn.Module):
        """Answers any batch with these features."""

        output_weight, output_bias = model.output_weight, model.output_bias

        def __init__(self, features: Tensor) -> None:
            super().__init__()
            self.features = nn.Parameter(features)

        def forward(self, batch: Batch) -> Tensor:
            return self.features

    there = gradients(RDrop(2.0), cast(Model, Said(passes)))
    back = gradients(RDrop(2.0), cast(Model, Said(passes.roll(len(passes) // 2, 0))))
    torch.testing.assert_close(there[0].smoothed, back[0].smoothed)
    torch.testing.assert_close(there[1][0], back[1][0].roll(len(passes) // 2, 0))


def test_r_drop_in_bf16_stays_close() -> None:
    model = toy_model(width=32, dropout=0.4).train()
    exact = gradients(RDrop(2.0), model)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = gradients(RDrop(2.0), model)
    assert rounded[0].smoothed.dtype == torch.float32 and not torch.equal(rounded[0].smoothed, exact[0].smoothed)
    torch.testing.assert_close(rounded[0].smoothed, exact[0].smoothed, rtol=2e-2, atol=0)
    one, other = (torch.cat([part.flatten() for part in found]) for _, found in (rounded, exact))
    assert functional.cosine_similarity(one, other, dim=0) > 0.99


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
    ScheduledSampling(rate, 0, 0, temperature)(cast(Network, recorder), batch, Criterion(SMOOTHING), 1)
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
    assert not torch.equal(gradients(ScheduledSampling(1.0, 1, 5, 1.0), model, update=6)[0].plain, plain[0].plain)


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
    found = gradients(ScheduledSampling(1.0, 0, 0, 0.0), model)[0].plain
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


def test_running_text_cannot_be_read_twice() -> None:
    for objective in (RDrop(1.0), ScheduledSampling(0.5, 0, 0, 1.0)):
        with pytest.raises(ConfigError, match="reading=lines"):
            objective(Carried(toy_language_model(), 1), BATCH, Criterion(0.0), 1)


def test_what_reads_no_predictions_has_none_to_sample() -> None:
    with pytest.raises(ConfigError, match="does not read what it predicts"):
        ScheduledSampling(0.5, 0, 0, 1.0)(ToyModel(), BATCH, Criterion(0.0), 1)


@pytest.mark.parametrize(
    "key, build",
    [
        ("alpha", lambda: RDrop(-1.0)),
        ("alpha", lambda: RDrop(math.nan)),
        ("rate", lambda: ScheduledSampling(1.5, 0, 0, 1.0)),
        ("start", lambda: ScheduledSampling(0.5, -1, 0, 1.0)),
        ("warmup", lambda: ScheduledSampling(0.5, 0, -1, 1.0)),
        ("temperature", lambda: ScheduledSampling(0.5, 0, 0, -1.0)),
    ],
)
def test_illegal_values_are_named(key: str, build: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=rf"objective\.{key}: expected"):
        build()
