"""Laws of bridges: where a decoder starts, and which encoders fit it."""

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor
from toy_network import VOCABULARY, composed, member, members, toy_batch, toy_model

from seq2seq.config.build import build
from seq2seq.errors import ConfigError
from seq2seq.network.encoder import Memory
from seq2seq.network.model import Model
from seq2seq.network.state import State, map_state, tensors

BATCH = toy_batch([[4, 6, 7, 8], [4, 9]], [[4, 8], [5, 9]])


def memory_of(model: Model, last: bool) -> tuple[State, State]:
    """The encoder's last states, and the decoder's first ones."""
    with torch.no_grad():
        memory = model.encoder(model.source(BATCH.source), BATCH.source_mask, last)
        return memory.last, model.decoder.bridge(memory)


def test_none_starts_from_the_cells_own_state() -> None:
    _, states = memory_of(toy_model(bridge="none"), last=False)
    assert not any(part.any() for part in tensors(states))


def test_last_copies_layer_by_layer() -> None:
    last, states = memory_of(toy_model(bridge="last", cell="lstm"), last=True)
    assert all(torch.equal(*pair) for pair in zip(tensors(last), tensors(states), strict=True))
    assert len(tensors(states)) == 4 and tensors(states)[0].any()


@pytest.mark.parametrize("bridge", members("bridge"))
def test_the_model_asks_the_encoder_for_what_its_bridge_reads_and_no_more(
    bridge: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = toy_model(bridge=bridge)
    asked, read = [], model.encoder.read

    def reading(projected: State, mask: Tensor, last: bool = False) -> Memory:
        memory = read(projected, mask, last)
        asked.append(memory.last != ())
        return memory

    monkeypatch.setattr(model.encoder, "read", reading)
    model(BATCH)
    model.start(BATCH.source, BATCH.source_mask)
    assert asked == [bridge in ("last", "projected")] * 2


@pytest.mark.parametrize("cell", members("cell"))
def test_every_cell_goes_on_from_any_state_of_a_bridge(cell: str) -> None:
    """Numbers from -1 to 1 in every tensor of the state, at their worst, and 50 steps from there."""
    torch.manual_seed(0)
    made = member("cell", cell)(8, 8)
    for value in (-1.0, 0.0, 1.0):
        state = map_state(lambda part, value=value: torch.full_like(part, value), made.initial_state((2,)))
        outputs, state = made(torch.randn(2, 50, made.input_size), None, state)
        assert all(part.isfinite().all() and part.abs().max() < 100 for part in (outputs, *tensors(state)))


def test_projected_joins_any_cells_and_depths() -> None:
    model = toy_model(
        bridge="projected", cell="gru", decoder_cell="lstm", settings={"encoder.layers": 1, "decoder.layers": 3}
    )
    assert model.logits(model(BATCH)).isfinite().all()


@pytest.mark.parametrize(
    ("settings", "cells", "message"),
    [
        ({"decoder.layers": 3}, ("lstm", "lstm"), r"in the encoder, got 3 and 2: set encoder.layers=3 or use bridge=p"),
        ({}, ("gru", "lstm"), r"encoder layer 1, of sizes 256, does not fit the decoder's, \(256, 256\): use the same"),
    ],
)
def test_last_says_what_does_not_fit(settings: dict[str, int], cells: tuple[str, str], message: str) -> None:
    config = composed(bridge="last", cell=cells[0], decoder_cell=cells[1])
    for key, value in settings.items():
        OmegaConf.update(config, key, value)
    sizes = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
    with pytest.raises(ConfigError, match=message):
        build(OmegaConf.to_container(config.model, resolve=True), sizes)
