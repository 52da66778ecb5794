"""R-Drop equals its formula, and likelihood where both passes say the same."""

from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from toy_network import toy_model
from toy_objective import BATCH, SMOOTHING, assert_same, gradients

from seq2seq.data.loader.batch import Batch, predicted
from seq2seq.network.model import Model
from seq2seq.training.criterion import Criterion, Loss
from seq2seq.training.objective import r_drop
from seq2seq.training.objective.base import repeated
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.objective.r_drop import RDrop
from seq2seq.training.trainable import Trainable


class Written:
    """R-Drop as it is written: all logits at once, and autograd."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha

    def __call__(self, network: Trainable, batch: Batch, criterion: Criterion, update: int) -> Loss:
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


@pytest.mark.usefixtures("all_formats")
def test_r_drop_in_bf16_stays_close() -> None:
    model = toy_model(width=32, dropout=0.4).train()
    exact = gradients(RDrop(2.0), model)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = gradients(RDrop(2.0), model)
    assert rounded[0].smoothed.dtype == torch.float32 and not torch.equal(rounded[0].smoothed, exact[0].smoothed)
    torch.testing.assert_close(rounded[0].smoothed, exact[0].smoothed, rtol=2e-2, atol=0)
    one, other = (torch.cat([part.flatten() for part in found]) for _, found in (rounded, exact))
    assert functional.cosine_similarity(one, other, dim=0) > 0.99
