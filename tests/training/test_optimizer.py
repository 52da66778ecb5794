"""Every parameter has one optimiser group; rates and decay by name; what is frozen is not trained."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from equal_runs import assert_equal_runs, last
from safetensors.torch import load_file
from torch import nn
from torch.nn import Parameter
from toy_training import SETTINGS, ToyModel, toy_trainer

from seq2seq.errors import ConfigError
from seq2seq.training.optimizer import Adam, AdamW, Groups, ResumedOptimizer, set_learning_rate
from seq2seq.training.trainable import first_names, freeze, matching_names

NAMES = ["encoder.layers.0.weight", "encoder.layers.0.bias", "encoder.norm.bias", "encoders.weight", "output_bias"]


def adam(groups: Groups = ()) -> Adam:
    return Adam(learning_rate=0.1, beta1=0.9, beta2=0.98, epsilon=1e-9, groups=groups)


def adamw(groups: Groups = (), weight_decay: float = 0.5) -> AdamW:
    return AdamW(0.1, 0.9, 0.98, 1e-9, weight_decay, groups)


def parameters() -> dict[str, Parameter]:
    torch.manual_seed(1)
    shapes = {"source.weight": (5, 4), "encoder.weight": (4, 4), "encoder.bias": (4,), "output_bias": (5,)}
    return {name: Parameter(torch.randn(shape)) for name, shape in shapes.items()}


def stepped(settings: Adam | AdamW, gradient: float) -> dict[str, torch.Tensor]:
    """How far one step moves each parameter."""
    named = parameters()
    before = {name: one.detach().clone() for name, one in named.items()}
    optimizer = settings.create(named)
    for one in named.values():
        one.grad = torch.full_like(one, gradient)
    for _ in range(2):  # setting the rate twice is setting it once
        set_learning_rate(optimizer, 0.1)
    optimizer.step()
    return {name: one.detach() - before[name] for name, one in named.items()}


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("encoder", NAMES[:3]),
        ("encoder.layers.0.bias", NAMES[1:2]),
        ("*.bias", NAMES[1:3]),
        ("encoder*", NAMES[:4]),
        ("output_bias", NAMES[4:]),
    ],
)
def test_a_name_means_itself_its_parts_and_what_it_fits(pattern: str, meant: list[str]) -> None:
    assert matching_names([pattern], NAMES, "freeze") == meant


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"freeze: no parameter is called 'encodr', did you mean encoder\? there are"):
        matching_names(["output_bias", "encodr"], NAMES, "freeze")


@pytest.mark.parametrize("settings", [adam, adamw])
@pytest.mark.parametrize(
    "groups", [[], [{"names": ["encoder"]}], [{"names": ["*.weight"]}, {"names": ["output_bias"]}]]
)
def test_every_parameter_is_in_exactly_one_group(settings: type[Adam], groups: Groups) -> None:
    named = parameters()
    members = [one for group in settings(groups).create(named).param_groups for one in group["params"]]
    assert sorted(map(id, members)) == sorted(map(id, named.values()))


@pytest.mark.parametrize("settings", [adam, adamw])
def test_a_group_without_changes_changes_nothing(settings: type[Adam]) -> None:
    plain, grouped = stepped(settings(), 0.3), stepped(settings([{"names": ["encoder"]}]), 0.3)
    assert all(torch.equal(plain[name], grouped[name]) for name in plain)


def test_a_group_moves_by_its_factor_of_the_scheduled_rate() -> None:
    plain, halved = stepped(adam(), 0.3), stepped(adam([{"names": ["encoder"], "learning_rate": 0.5}]), 0.3)
    for name, move in plain.items():
        torch.testing.assert_close(halved[name], move * (0.5 if name.startswith("encoder") else 1.0))


def test_matrices_decay_vectors_do_not_and_a_group_decides_for_its_own() -> None:
    moved = stepped(adamw(), 0.0)
    assert {name for name, move in moved.items() if move.any()} == {"source.weight", "encoder.weight"}
    torch.testing.assert_close(moved["source.weight"], -0.1 * 0.5 * parameters()["source.weight"].detach())
    moved = stepped(
        adamw([{"names": ["source"], "weight_decay": 0.0}, {"names": ["*bias"], "weight_decay": 0.25}]), 0.0
    )
    assert {name for name, move in moved.items() if move.any()} == {"encoder.weight", "encoder.bias", "output_bias"}
    torch.testing.assert_close(moved["encoder.bias"], -0.1 * 0.25 * parameters()["encoder.bias"].detach())


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([{"names": ["encoder"]}, {"names": ["*.bias"]}], r"encoder\.bias is in group 0 and in group 1"),
        ([{"names": ["decoder"]}], r"optimizer\.groups\[0\]\.names: no parameter is called 'decoder'"),
        ([{"names": ["encoder"], "rate": 1.0}], r"unknown key optimizer\.groups\[0\]\.rate"),
        ([{"names": ["encoder"], "learning_rate": 0.0}], r"optimizer\.groups\[0\]\.learning_rate: expected a positive"),
        ([{"names": ["encoder"], "weight_decay": 0.1}], r"optimizer\.groups\[0\]\.weight_decay: adam has none"),
        ([{"learning_rate": 0.5}], r"optimizer\.groups\[0\]: missing"),
    ],
)
def test_impossible_groups_are_refused_by_their_key(groups: Groups, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        adam(groups).create(parameters())


def test_what_is_frozen_has_no_group_no_state_and_may_leave_none_empty() -> None:
    named = parameters()
    named["encoder.bias"].requires_grad_(False)
    optimizer = adamw().create(named)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 3
    with pytest.raises(ConfigError, match=r"optimizer\.groups\[0\]: all that it names is frozen"):
        adam([{"names": ["encoder.bias"]}]).create(named)


def test_a_continued_optimizer_steps_as_the_one_it_goes_on_from() -> None:
    named = parameters()
    optimizer = adam().create(named)
    for gradient in (0.3, -0.1):
        for one in named.values():
            one.grad = torch.full_like(one, gradient)
        moments = {
            name: {key: value.clone() for key, value in optimizer.state[one].items()} for name, one in named.items()
        }
        before = {name: Parameter(one.detach().clone()) for name, one in named.items()}
        optimizer.step()
    again = ResumedOptimizer(adam(), moments)
    other = again.create(before)
    for one in before.values():
        one.grad = torch.full_like(one, -0.1)
    other.step()
    assert again.learning_rate == 0.1
    assert all(torch.equal(before[name], named[name]) for name in named)


def test_freezing_a_tied_table_freezes_all_its_uses_and_says_so() -> None:
    for name in ("embedding", "output_weight"):
        model = ToyModel()
        said = freeze(model, [name])
        assert not model.embedding.weight.requires_grad and model.inner.weight.requires_grad
        assert said == [
            "freeze: 152 parameters stay as they are, 155 are trained",
            "freeze: output_weight and embedding.weight are one table, so all of them stay",
        ]
        assert first_names(model, [name, "inner.bias"], "names") == ["output_weight", "inner.bias"]


def test_nothing_left_to_train_is_refused() -> None:
    with pytest.raises(ConfigError, match="freeze: embedding, inner, output_bias leave no parameter to train"):
        freeze(ToyModel(), ["embedding", "inner", "output_bias"])
    assert freeze(ToyModel(), []) == []


def test_frozen_weights_stay_bit_for_bit_and_resume_is_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init = ToyModel.__init__

    def frozen(model: ToyModel) -> None:
        init(model)
        freeze(model, ["inner"])

    monkeypatch.setattr(ToyModel, "__init__", frozen)
    toy_trainer(tmp_path / "whole", SETTINGS).train()
    with pytest.raises(RuntimeError, match="killed"):
        killed(tmp_path / "parts")
    toy_trainer(tmp_path / "parts", SETTINGS).train()
    assert_equal_runs(tmp_path / "parts", tmp_path / "whole")
    tensors, start = load_file(last(tmp_path / "whole")), ToyModel()
    assert torch.equal(tensors["weights/inner.weight"], start.inner.weight)
    assert torch.equal(tensors["average/inner.weight"], start.inner.weight)
    assert not torch.equal(tensors["weights/output_bias"], start.output_bias)
    assert sorted(name for name in tensors if name.startswith("optimizer/exp_avg/")) == [
        "optimizer/exp_avg/output_bias",
        "optimizer/exp_avg/output_weight",
    ]


def test_a_bias_alone_can_be_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init = ToyModel.__init__

    def frozen(model: ToyModel) -> None:
        init(model)
        freeze(model, ["inner", "embedding"])

    monkeypatch.setattr(ToyModel, "__init__", frozen)
    toy_trainer(tmp_path, replace(SETTINGS, updates=3, log_gradient_noise=True)).train()
    tensors, start = load_file(last(tmp_path)), ToyModel()
    moved = {name for name, one in start.named_parameters() if not torch.equal(tensors[f"weights/{name}"], one)}
    assert moved == {"output_bias"}


def killed(folder: Path) -> None:
    """A run whose data ends it in the middle of an epoch."""
    trainer = toy_trainer(folder, SETTINGS)
    batches = trainer.batches.batches

    def failing(epoch: int, start: int = 0) -> object:
        for number, batch in enumerate(batches(epoch, start)):
            if epoch == 3 and number == 4:
                raise RuntimeError("killed")
            yield batch

    trainer.batches.batches = failing  # type: ignore[method-assign, assignment]
    trainer.train()


def test_the_groups_of_a_real_model(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    optimizer = adamw([{"names": ["1"], "learning_rate": 0.1}]).create(dict(model.named_parameters()))
    assert [(len(group["params"]), group["factor"], group["weight_decay"]) for group in optimizer.param_groups] == [
        (2, 0.1, 0.0),
        (1, 1.0, 0.5),
        (1, 1.0, 0.0),
    ]
