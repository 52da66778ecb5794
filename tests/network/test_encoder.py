"""Laws of the encoder's shapes: who sees whom, and where each layer's last state stands."""

import pytest
import torch
from omegaconf import OmegaConf
from toy_network import composed, members

from seq2seq.config.build import build
from seq2seq.network.cell import scanned
from seq2seq.network.encoder import Encoder, Memory
from seq2seq.network.state import State, map_state, tensors

WIDTH, SOURCE = 8, 5
SCANNED = {"min_gru", "min_lstm", "rg_lru", "sru", "ssru"}
MASK = torch.arange(SOURCE) < torch.tensor([[5], [2], [1]])


def toy_encoder(
    shape: str = "bidirectional", layers: int = 2, reversed: bool = False, cell: str = "gru", sublayer: str = "plain"
) -> Encoder:
    torch.manual_seed(0)
    config = composed(encoder=shape, cell=cell, sublayer=sublayer)
    config.model.width = WIDTH
    config.encoder.update(layers=layers, reversed=reversed, feed_forward=0)
    encoder: Encoder = build(OmegaConf.to_container(config.encoder, resolve=True))(WIDTH)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return encoder.double().eval()


def inputs() -> torch.Tensor:
    return torch.randn(len(MASK), SOURCE, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def sees(encoder: Encoder, here: int, there: int) -> bool:
    """Whether what stands at position `here` of the first row's memory depends on the token at `there`."""
    x = inputs().requires_grad_()
    encoder(x, MASK).values[0, here].sum().backward()
    assert x.grad is not None
    return bool(x.grad[0, there].any())


@pytest.mark.parametrize(
    ("shape", "layers", "left", "right"),
    [
        ("unidirectional", 3, True, False),
        ("bidirectional", 1, True, True),
        ("alternating", 1, True, False),
        ("alternating", 2, True, True),
        ("gnmt", 1, True, True),
        ("gnmt", 2, True, True),
    ],
)
def test_what_a_position_sees(shape: str, layers: int, left: bool, right: bool) -> None:
    encoder = toy_encoder(shape, layers)
    for here in (1, 2, 3):
        assert (sees(encoder, here, 0), sees(encoder, here, here), sees(encoder, here, 4)) == (left, True, right)


def test_the_layers_of_gnmt_and_alternating_read_where_they_should() -> None:
    """Seen from the upper layer alone: its own inputs stand to its left, or, where it reads leftward, to its right."""
    for shape, left in (("gnmt", True), ("alternating", False)):
        upper = toy_encoder(shape, 2)
        upper.recurrent = torch.nn.ModuleList(upper.recurrent[1:])
        upper.feed_forward = torch.nn.ModuleList(upper.feed_forward[1:])
        for here in (1, 2, 3):
            assert (sees(upper, here, 0), sees(upper, here, here), sees(upper, here, 4)) == (left, True, not left)


@pytest.mark.parametrize("shape", members("encoder"))
def test_a_reversed_source_is_the_source_turned_round_within_its_length(shape: str) -> None:
    x = inputs()
    turned = x.clone()
    for row, length in enumerate(MASK.sum(1).tolist()):
        turned[row, :length] = x[row, :length].flip(0)
    values = toy_encoder(shape, reversed=True)(x, MASK).values
    torch.testing.assert_close(values, toy_encoder(shape)(turned, MASK).values)


@pytest.mark.parametrize(
    ("shape", "cell"), [*((shape, "lstm") for shape in members("encoder")), *(("gnmt", c) for c in members("cell"))]
)
def test_last_states_of_a_padded_batch_are_those_of_each_row_alone(shape: str, cell: str) -> None:
    encoder = toy_encoder(shape, cell=cell, sublayer="pre_norm")
    x = inputs()
    together = encoder(x, MASK, last=True)
    for row, length in enumerate(MASK.sum(1).tolist()):
        alone = encoder(x[row : row + 1, :length], MASK[row : row + 1, :length], last=True)
        torch.testing.assert_close(tensors(alone.last), _row(together.last, row))
    shapes = encoder.initial_states(len(MASK))
    assert [part.shape for part in tensors(shapes)] == [part.shape for part in tensors(together.last)]


def test_last_states_are_there_only_where_asked_and_change_no_memory() -> None:
    encoder = toy_encoder(cell="lstm")
    asked, unasked = encoder(inputs(), MASK, last=True), encoder(inputs(), MASK)
    assert unasked.last == () and len(asked.last) == 2
    torch.testing.assert_close(*(_real(memory) for memory in (asked, unasked)))


def test_the_last_state_of_a_bidirectional_layer_stands_at_both_ends() -> None:
    """A GRU's state is its output: rightward the one of the last token, leftward the one of the first."""
    memory = toy_encoder(layers=1)(inputs(), MASK, last=True)
    [state] = memory.last
    half = WIDTH // 2
    for row, length in enumerate(MASK.sum(1).tolist()):
        torch.testing.assert_close(state[row, :half], memory.values[row, length - 1, :half])
        torch.testing.assert_close(state[row, half:], memory.values[row, 0, half:])


@pytest.mark.parametrize("reversed", [False, True])
@pytest.mark.parametrize("near", [1, scanned.NEAR])
@pytest.mark.parametrize("cell", members("cell"))
@torch.inference_mode()
def test_joined_cells_say_what_two_do(cell: str, near: int, reversed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of rows of one length, of each row alone, and where the lowest layer is told what each token is to it."""
    monkeypatch.setattr(scanned, "NEAR", near)
    encoder = toy_encoder(layers=2, cell=cell, sublayer="pre_norm", reversed=reversed)
    full = torch.ones_like(MASK)
    wanted = [encoder(inputs(), mask, last=True) for mask in (MASK, full)]
    for layer in encoder.recurrent:
        layer.join()
        joins = isinstance(layer.joined, scanned.Scanned)
        assert joins == (not hasattr(layer, "rightward")) == (cell in SCANNED)
    projected = encoder.project(inputs())
    assert isinstance(projected, tuple) == (cell in SCANNED)
    for mask, memory in zip((MASK, full), wanted, strict=True):
        found = encoder.read(projected, mask, last=True)
        torch.testing.assert_close(_real(found), _real(memory))
        torch.testing.assert_close(tensors(found.last), tensors(memory.last))


def test_plain_residual_sums_begin_at_the_layer_that_is_named() -> None:
    """A cell that says nothing lets the stream pass where there is a sum, and stops it where there is none."""
    for first, passes in ((1, True), (2, False)):
        config = composed(encoder="unidirectional", cell="gru", sublayer="residual")
        config.model.width = WIDTH
        config.sublayer.first = first
        config.encoder.update(layers=2, feed_forward=0)
        encoder = build(OmegaConf.to_container(config.encoder, resolve=True))(WIDTH).double()
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.zero_()
        values = encoder.eval()(inputs(), MASK).values
        assert torch.equal(values, inputs() if passes else torch.zeros_like(values))


def _row(state: State, row: int) -> list[torch.Tensor]:
    return tensors(map_state(lambda part: part[row : row + 1], state))


def _real(memory: Memory) -> torch.Tensor:
    return memory.values[memory.mask]
