"""Minimum-risk training equals its formula over candidates that depend on (seed, update, pair) only."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from toy_objective import SMOOTHING, gradients, minimum_risk, translations
from toy_translator import random_model

from seq2seq.data.loader.batch import Batch, predicted
from seq2seq.network.model import Model
from seq2seq.special_tokens import BOS, EOS, PAD
from seq2seq.training import criterion as log_probability
from seq2seq.training.criterion import Criterion
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.objective.minimum_risk import MinimumRisk


def plain_risk(objective: MinimumRisk, model: Model, batch: Batch, update: int) -> Tensor:
    """Equations 11 to 13, sentence by sentence and in double precision, over the objective's own candidates."""
    drawn = objective.draw(model, batch, update)
    costs = torch.tensor(objective.costs(drawn, batch), dtype=torch.float64)
    risks = []
    for number in range(len(batch.pairs)):
        scores, own = [], []
        for line, owner, cost in zip(drawn.lines, drawn.owners, costs, strict=True):
            if owner == number:
                row = Batch(*(tensor[number : number + 1] for tensor in batch))
                target = torch.tensor([[int(row.target[0, 0]), *line]])
                row = row._replace(target=target, target_mask=torch.ones_like(target, dtype=torch.bool))
                likely = model.logits(model(row)).double().log_softmax(-1)
                scores.append(likely.gather(1, torch.tensor(line)[:, None]).sum())
                own.append(cost)
        shares = (objective.sharpness * torch.stack(scores)).softmax(0)
        risks.append((shares * torch.stack(own)).sum() * batch.target_mask[number, 1:].sum())
    return torch.stack(risks).sum()


@pytest.mark.parametrize("sharpness", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("weight", [0.4, 1.0])
def test_minimum_risk_is_its_formula(sharpness: float, weight: float) -> None:
    model, batch = random_model(), translations()
    objective = minimum_risk(sharpness=sharpness, weight=weight)
    loss, found = gradients(objective, model, batch)
    likelihood = gradients(Likelihood(), model, batch)[0]
    wanted = (1 - weight) * likelihood.smoothed + weight * plain_risk(objective, model, batch, 1)
    torch.testing.assert_close(loss.smoothed.double(), wanted, rtol=1e-4, atol=1e-5)
    assert loss.nll == likelihood.nll and loss.correct == likelihood.correct and loss.tokens == likelihood.tokens
    torch.manual_seed(1)
    again = (1 - weight) * Likelihood()(model, batch, Criterion(SMOOTHING), 1).smoothed
    again = again + weight * plain_risk(objective, model, batch, 1)
    expected = torch.autograd.grad(again, list(model.parameters()), allow_unused=True, materialize_grads=True)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
    assert max(float(one.abs().max()) for one in found) > 1e-3


def test_where_all_candidates_cost_the_same_nothing_changes() -> None:
    objective = minimum_risk(metric=lambda hypotheses, reference, language: [40.0] * len(hypotheses))
    loss, found = gradients(objective, random_model(), translations())
    torch.testing.assert_close(loss.smoothed.detach(), torch.tensor(0.6 * loss.tokens))
    assert max(float(one.abs().max()) for one in found) < 1e-4


def test_the_better_of_two_candidates_becomes_more_probable() -> None:
    model, batch = deepcopy(random_model()), translations()
    objective = minimum_risk(candidates=1, sharpness=0.01)
    drawn = objective.draw(model, batch, 1)
    assert drawn.owners == [0, 0, 1, 1, 2, 2]
    rows = drawn.batch(batch, torch.arange(len(drawn.lines)))

    def advantage() -> Tensor:
        each = model.logits(model(rows)).log_softmax(-1).gather(1, predicted(rows)[:, None])[:, 0]
        lengths = rows.target_mask[:, 1:].sum(1).tolist()
        sums = torch.stack([part.sum() for part in torch.split(each, lengths)])
        return (sums[0::2] - sums[1::2]).detach()  # of the reference, which is the better one

    before = advantage()
    _, found = gradients(objective, model, batch)
    with torch.no_grad():
        for parameter, gradient in zip(model.parameters(), found, strict=True):
            parameter.sub_(1e-2 * gradient)
    assert (advantage() > before).all()


def test_candidates_depend_on_seed_update_and_pair_only() -> None:
    model, batch = random_model(), translations()
    model.train()
    objective = minimum_risk(reference=False)
    whole = objective.draw(model, batch, 3)
    assert model.training and objective.draw(model, batch, 3) == whole
    model.eval()
    own = [[line for line, owner in zip(*whole, strict=True) if owner == number] for number in range(3)]
    for number in range(3):
        row = Batch(*(tensor[number : number + 1] for tensor in batch))
        assert objective.draw(model, row, 3).lines == own[number] and len(own[number]) > 3
    assert objective.draw(model, batch, 4) != whole
    assert objective.draw(model, batch._replace(pairs=batch.pairs + 1), 3) != whole
    same = Batch(*(tensor[:1].repeat(2, *[1] * (tensor.dim() - 1)) for tensor in batch))
    drawn = objective.draw(model, same._replace(pairs=torch.tensor([11, 12])), 3)
    assert [line for line, owner in zip(*drawn, strict=True) if owner] != own[0]


def test_a_line_that_was_cut_off_does_not_end() -> None:
    """The search stops after six tokens, EOS counted; what had no EOS by then is the beginning of many lines."""
    model = deepcopy(random_model())
    with torch.no_grad():
        model.output_bias[EOS] += 10
    drawn = minimum_risk(candidates=40, reference=False).draw(model, translations(), 1)
    ends = [line[-1] == EOS for line in drawn.lines]
    assert any(ends) and not all(ends)
    assert all(len(line) <= 6 and EOS not in line[:-1] for line in drawn.lines)
    assert all(len(line) == 6 for line, ended in zip(drawn.lines, ends, strict=True) if not ended)


def test_candidates_are_different_lines_and_the_reference_comes_first() -> None:
    model, batch = random_model(), translations()
    for reference in (True, False):
        drawn = minimum_risk(candidates=40, reference=reference).draw(model, batch, 1)
        for number, real in enumerate(batch.target_mask[:, 1:]):
            own = [tuple(line) for line, owner in zip(*drawn, strict=True) if owner == number]
            gold = tuple(batch.target[number, 1:][real].tolist())
            assert len(set(own)) == len(own) and (own[0] == gold) is reference
    assert not {PAD, BOS} & {one for line in drawn.lines for one in line}


@pytest.mark.parametrize("chunk", [1, 100 * 290, 10**9])
def test_log_probabilities_are_those_of_the_softmax(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(log_probability, "CHUNK", chunk)
    draw = torch.Generator().manual_seed(1)
    features, weight, bias = (
        torch.randn(*shape, generator=draw).requires_grad_() for shape in ((9, 5), (31, 5), (31,))
    )
    gold = torch.randint(31, (9,), generator=draw)
    found = log_probability.log_probabilities(features, weight, bias, gold)
    logits = functional.linear(features, weight, bias)
    expected = logits.log_softmax(-1).gather(1, gold[:, None])[:, 0]
    torch.testing.assert_close(found, expected)
    scale = torch.randn(9, generator=draw)
    leaves = (features, weight, bias)
    ours = torch.autograd.grad(found @ scale, leaves)
    for one, other in zip(ours, torch.autograd.grad(expected @ scale, leaves), strict=True):
        torch.testing.assert_close(one, other)
