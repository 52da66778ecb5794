"""A model that is built without drawing its weights, and then given them, is the model that they came from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from toy_labels import network, node, tag_tokenizer, toy_tokenizer
from toy_network import VOCABULARY, composed, members, toy_batch

from seq2seq.config.build import build
from seq2seq.errors import ConfigError
from seq2seq.model_folder.folder import StoredModel, assemble
from seq2seq.model_folder.skip_init import SkipInit
from seq2seq.network.model import Model

BATCH = toy_batch([[4, 6, 7, 8], [4, 9, 10]], [[4, 8, 7], [4, 10, 9, 6]])
SIZES = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
CHOICES = [
    (family, name) for family in ("cell", "attention", "decoder", "encoder", "sublayer") for name in members(family)
]


@pytest.fixture(autouse=True)
def poisoned() -> Iterator[None]:
    """What is made without a value holds NaN, not what happened to be there."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def built(**chosen: str) -> tuple[dict[str, Any], Model]:
    """A small model's node, and the model."""
    config = composed(**chosen)
    config.model.width = 8
    if "hidden_size" in config.attention:
        config.attention.hidden_size = 8
    made: dict[str, Any] = {**OmegaConf.to_container(config.model, resolve=True), **SIZES}  # type: ignore[dict-item]
    torch.manual_seed(0)
    return made, build(made).eval()


def loaded(made: dict[str, Any], model: nn.Module) -> nn.Module:
    """The same through a model folder's assembly, which draws nothing."""
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    distinct = {name: weights[name] for name in dict.fromkeys(_first(model))}
    before = torch.get_rng_state()
    found = assemble(StoredModel(Path("folder"), {"model": made}, distinct), nn.Module)
    assert torch.equal(torch.get_rng_state(), before)
    return found


def _first(model: nn.Module) -> Iterator[str]:
    """The first name of every tensor."""
    seen: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield name


@pytest.mark.parametrize(("family", "name"), CHOICES)
def test_a_model_of_every_member_is_the_same(family: str, name: str) -> None:
    made, model = built(**{family: name})
    found = loaded(made, model)
    buffers = dict(found.named_buffers())
    assert buffers.keys() == dict(model.named_buffers()).keys()
    assert all(torch.equal(buffers[name], one) for name, one in model.named_buffers())  # some are in no file
    with torch.no_grad():
        assert torch.equal(found(BATCH), model(BATCH))


@pytest.mark.parametrize("kind", ["classifier", "tagger", "generator"])
def test_other_kinds_are_the_same(kind: str) -> None:
    facts = (tag_tokenizer() if kind == "tagger" else toy_tokenizer()).facts
    facts = {"vocabulary": 280, "condition": "label", "conditions": 3} if kind == "generator" else facts
    model = network(f"train_{kind}", facts)
    found = loaded({**node(f"train_{kind}"), **facts}, model)
    state = found.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())


def test_what_has_a_generator_of_its_own_is_drawn() -> None:
    """A constant that is drawn from a seed stands in no file either."""
    seeded = [torch.Generator().manual_seed(3) for _ in range(4)]
    wanted = torch.randn(2, 3, generator=seeded[0]), torch.empty(2, 3).uniform_(0, 1, generator=seeded[1])
    with SkipInit({"all": torch.zeros(100)}):
        found = torch.randn(2, 3, generator=seeded[2]), torch.empty(2, 3).uniform_(0, 1, generator=seeded[3])
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


def test_no_more_is_made_than_there_are_weights_for() -> None:
    with SkipInit({"all": torch.zeros(100)}):
        nn.Linear(9, 10)
        with pytest.raises(ConfigError, match="than there are weights"):
            nn.Linear(1 << 20, 1 << 20)
    with SkipInit({"all": torch.zeros(1 << 20)}), pytest.raises(ConfigError, match="than there are weights"):
        [nn.Linear(1, 1) for _ in range(2000)]
