"""Objectives: each equals its paper's formula, and where its setting says so it is plain likelihood."""

import math
import pickle
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import cast

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional
from toy_language import toy_language_model
from toy_network import CONF, toy_batch, toy_model
from toy_training import ToyModel
from toy_translator import random_model, toy_tokenizer

from seq2seq.command.objective import built_objective
from seq2seq.data.batch import Batch, predicted
from seq2seq.errors import ConfigError
from seq2seq.evaluation.sentence import ChrF
from seq2seq.network.model import Model
from seq2seq.search.sampling import Sampling
from seq2seq.symbols import BOS, EOS, PAD
from seq2seq.training import log_probability
from seq2seq.training.carried import Carried
from seq2seq.training.criterion import Criterion, Loss
from seq2seq.training.network import Network
from seq2seq.training.objective import r_drop
from seq2seq.training.objective.base import Objective, repeated
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.objective.minimum_risk import Metric, MinimumRisk
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


def favour(hypotheses: Sequence[str], reference: str, language: str) -> list[float]:
    """A metric that likes some lines better than others, for no reason; a reference has 100."""
    return [100.0 if one == reference else 7.0 * (sum(map(ord, one)) % 13) for one in hypotheses]


def minimum_risk(
    metric: Metric = favour, candidates: int = 6, reference: bool = True, sharpness: float = 0.3, weight: float = 1.0
) -> MinimumRisk:
    search = Sampling(1.0, None, 1.0, 1, 0.0, 6)
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
    assert loss.plain == likelihood.plain and loss.correct == likelihood.correct and loss.tokens == likelihood.tokens
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
    rows = drawn.batch(batch, torch.tensor(drawn.owners))

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


def test_candidates_are_different_lines_and_the_reference_comes_first() -> None:
    model, batch = random_model(), translations()
    for reference in (True, False):
        drawn = minimum_risk(candidates=40, reference=reference).draw(model, batch, 1)
        for number, real in enumerate(batch.target_mask[:, 1:]):
            own = [tuple(line) for line, owner in zip(*drawn, strict=True) if owner == number]
            gold = tuple(batch.target[number, 1:][real].tolist())
            assert len(set(own)) == len(own) and (own[0] == gold) is reference
    assert not {PAD, BOS} & {one for line in drawn.lines for one in line}


def test_minimum_risk_travels_to_other_processes() -> None:
    objective = MinimumRisk(toy_tokenizer(), ChrF(), Sampling(1.0, None, 1.0, 1, 0.0, 6), 4, True, 0.3, 0.5)
    sent: Objective = pickle.loads(pickle.dumps(objective))
    model, batch = random_model(), translations()
    assert_same(gradients(sent, model, batch), gradients(objective, model, batch), rtol=0, atol=0)


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


def test_only_translators_compare_translations() -> None:
    node = OmegaConf.to_container(
        OmegaConf.merge(OmegaConf.load(CONF / "objective" / "minimum_risk.yaml"), {"search": {"seed": 1}})
    )
    assert isinstance(built_objective(cast(dict[str, object], node), toy_tokenizer()), MinimumRisk)
    with pytest.raises(ConfigError, match="trains translators only"):
        built_objective(cast(dict[str, object], node))


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
        ("candidates", lambda: minimum_risk(candidates=0)),
        ("candidates", lambda: minimum_risk(candidates=1, reference=False)),
        ("sharpness", lambda: minimum_risk(sharpness=0.0)),
        ("weight", lambda: minimum_risk(weight=0.0)),
        ("weight", lambda: minimum_risk(weight=1.1)),
        ("temperature", lambda: ScheduledSampling(0.5, 0, 0, -1.0)),
    ],
)
def test_illegal_values_are_named(key: str, build: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=rf"objective\.{key}: expected"):
        build()
