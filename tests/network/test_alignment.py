"""Given translations read again: the scores of a search, the weights of its steps, and what is aligned with what."""

from typing import Any

import pytest
import torch
from toy_network import members, toy_batch, toy_model

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.network.alignment import TeacherForced, TeacherForcing
from seq2seq.network.attention.base import Attention
from seq2seq.network.ensemble import Ensemble
from seq2seq.network.model import Model

BATCH = toy_batch([[4, 6, 7, 8, 9], [5, 9], [4, 11, 6]], [[4, 8, 7], [5, 11, 9, 12], [4, 6]])
LOOKING = [name for name in members("attention") if name not in ("none", "last")]


def stepped(network: Model | Ensemble, batch: Batch) -> tuple[torch.Tensor, list[list[torch.Tensor]]]:
    """Log-probabilities of the targets by repeated steps, and what each attention's step said at every place."""
    heard: list[list[torch.Tensor]] = []
    memory, state = network.start(batch.source, batch.source_mask)
    scores = []
    for place in range(batch.target.shape[1] - 1):
        heard.append([])
        likely, state = network.step(batch.target[:, place : place + 1], state, memory)
        scores.append(likely.squeeze(1).gather(1, batch.target[:, place + 1 : place + 2]))
    return torch.cat(scores, 1), heard


def listened(model: Model) -> list[list[torch.Tensor]]:
    """The weights that each attention's step gave while the targets were read token by token."""
    heard: list[list[torch.Tensor]] = []
    for attention in (one for one in model.modules() if isinstance(one, Attention)):
        told: list[torch.Tensor] = []
        heard.append(told)

        def step(*given: Any, told: list[torch.Tensor] = told, call: Any = attention.step) -> Any:
            result = call(*given)
            told.append(result[1])
            return result

        setattr(attention, "step", step)  # noqa: B010
    stepped(model, BATCH)
    for attention in (one for one in model.modules() if isinstance(one, Attention)):
        del attention.__dict__["step"]
    return heard


def check(model: Model) -> None:
    """Scores and weights of all positions at once are those of the steps."""
    found = TeacherForcing(model)(BATCH, True)
    real = BATCH.target_mask[:, 1:]
    expected, _ = stepped(model, BATCH)
    torch.testing.assert_close(found.scores[real], expected[real], atol=1e-4, rtol=1e-4)
    heard = listened(model)
    [every] = found.weights
    assert len(every) == len(heard) > 0
    for weights, told in zip(every, heard, strict=True):
        torch.testing.assert_close(weights[real], torch.cat(told, 1)[real], atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(weights[real].sum(-1), torch.ones(int(real.sum())))
        assert weights.masked_select(~BATCH.source_mask.unsqueeze(1).expand_as(weights)).abs().max() == 0


@pytest.mark.parametrize("attention", LOOKING)
def test_forward_equals_repeated_steps_for_every_attention(attention: str) -> None:
    torch.manual_seed(1)
    check(toy_model(attention=attention))


@pytest.mark.parametrize("decoder", members("decoder"))
@pytest.mark.parametrize("attention", ["multihead", "coverage"])
def test_forward_equals_repeated_steps_for_every_decoder(decoder: str, attention: str) -> None:
    torch.manual_seed(2)
    check(toy_model(decoder=decoder, attention=attention))


@pytest.mark.parametrize("attend", ["first", "all", "shared"])
def test_every_layer_that_attends_is_heard(attend: str) -> None:
    torch.manual_seed(3)
    model = toy_model(settings={"decoder.attend": attend})
    check(model)
    assert len(TeacherForcing(model)(BATCH, True).weights[0]) == (2 if attend == "all" else 1)


@torch.inference_mode()
def test_an_ensemble_is_the_weighted_mean_of_its_models() -> None:
    torch.manual_seed(4)
    models = [toy_model(cell="gru"), toy_model(width=12, decoder="conditional", attention="additive")]
    ensemble = Ensemble(models, [3.0, 1.0])
    found = TeacherForcing(ensemble)(BATCH, True)
    real = BATCH.target_mask[:, 1:]
    torch.testing.assert_close(found.scores[real], stepped(ensemble, BATCH)[0][real], atol=1e-4, rtol=1e-4)
    alone = [TeacherForcing(model)(BATCH, True) for model in models]
    assert found.shares == (0.75, 0.25)
    torch.testing.assert_close(found.weights, tuple(one.weights[0] for one in alone))
    torch.testing.assert_close(found.looked(), 0.75 * alone[0].looked() + 0.25 * alone[1].looked())
    torch.testing.assert_close(alone[0].looked(), alone[0].weights[0][-1])


def test_padding_and_neighbours_change_nothing() -> None:
    torch.manual_seed(5)
    forcing = TeacherForcing(toy_model(attention="multihead"))
    together = forcing(BATCH, True)
    for row, (source, target) in enumerate([([4, 6, 7, 8, 9], [4, 8, 7]), ([5, 9], [5, 11, 9, 12])]):
        alone: TeacherForced = forcing(toy_batch([source], [target]), True)
        torch.testing.assert_close(together.scores[row, : len(target)], alone.scores[0])
        for every, one in zip(together.weights[0], alone.weights[0], strict=True):
            torch.testing.assert_close(every[row, : len(target), : len(source) + 1], one[0])


@pytest.mark.parametrize(("attention", "attend"), [("none", "all"), ("last", "all"), ("general", "none")])
def test_a_model_that_looks_at_no_word_says_so(attention: str, attend: str) -> None:
    blind = toy_model(attention=attention, settings={"decoder.attend": attend})
    with pytest.raises(ConfigError, match="this model has no attention that looks at words"):
        TeacherForcing(blind).check()
    assert TeacherForcing(blind)(BATCH, True).weights == ((),)
    TeacherForcing(Ensemble([blind, toy_model()], [1.0, 1.0])).check()


def test_the_model_itself_is_left_as_it_is() -> None:
    model = toy_model(attention="coverage")
    forcing = TeacherForcing(model)
    for reader in forcing.readers:
        for own, other in zip(reader.model.parameters(), model.parameters(), strict=True):
            assert own.data_ptr() == other.data_ptr()
    assert all("forward" not in one.__dict__ and "step" not in one.__dict__ for one in model.modules())
