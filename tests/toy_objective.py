"""A batch, and what an objective makes of it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from toy_network import toy_batch
from toy_translator import toy_tokenizer

from seq2seq.data.loader.batch import Batch
from seq2seq.network.model import Model
from seq2seq.search.sampling import Sampling
from seq2seq.training.criterion import Criterion, Loss
from seq2seq.training.objective.base import Objective
from seq2seq.training.objective.minimum_risk import Metric, MinimumRisk

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


def favour(hypotheses: Sequence[str], reference: str, language: str) -> list[float]:
    """A metric that likes some lines better than others, for no reason; a reference has 100."""
    return [100.0 if one == reference else 7.0 * (sum(map(ord, one)) % 13) for one in hypotheses]


def minimum_risk(
    metric: Metric = favour, candidates: int = 6, reference: bool = True, sharpness: float = 0.3, weight: float = 1.0
) -> MinimumRisk:
    search = Sampling(1.0, None, 1.0, 1.0, 1, 1, 0.0, 6, 0.0, 0)
    return MinimumRisk(toy_tokenizer(), metric, search, candidates, reference, sharpness, weight)


def translations() -> Batch:
    """Of a few words, as the toy tokenizer has them."""
    tokenizer = toy_tokenizer()
    pairs = [("one dog", "eins Hund"), ("the house sees", "das Haus sieht"), ("two", "zwei")]
    source, target = zip(*pairs, strict=True)
    ids = [tokenizer.encode(source, "en", "source"), tokenizer.encode(target, "de", "target")]
    tag = tokenizer.tag_id("de")
    batch = toy_batch(*([[tag, *line] for line in lines] for lines in ids))
    return batch._replace(pairs=torch.tensor([11, 5, 70]))
