"""Laws that every cell obeys, whatever fused kernel or scan computes it."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from toy_cell import CELLS, CONF, HIDDEN, INPUT, drawn_cell, inputs, maker, node

from seq2seq.errors import ConfigError
from seq2seq.network.cell.base import Cell
from seq2seq.network.state import State, map_state, tensors

BATCH, TIME = 3, 5


@pytest.fixture(params=CELLS)
def cell(request: pytest.FixtureRequest) -> Cell:
    return drawn_cell(request.param)


def filled(cell: Cell) -> State:
    """A state as a bridge gives it: anything between -1 and 1."""
    return map_state(lambda zeros: torch.tanh(torch.randn_like(zeros)), cell.initial_state((BATCH,)))


def test_forward_equals_repeated_steps(cell: Cell) -> None:
    x, start = inputs(BATCH, TIME), filled(cell)
    outputs, end = cell(x, None, start)
    state, drawn = start, cell.dropout_masks((BATCH,))
    for time in range(TIME):
        output, state = cell.step(x[:, time], state, drawn)
        torch.testing.assert_close(output, outputs[:, time])
    torch.testing.assert_close(tensors(state), tensors(end))


def test_the_fused_forward_equals_the_plain_loop(cell: Cell) -> None:
    x, mask = inputs(BATCH, TIME), torch.arange(TIME) < torch.tensor([[5], [2], [0]])
    start = filled(cell)
    for chosen in (None, mask):
        outputs, state = cell(x, chosen, start)
        plain, plain_state = Cell.forward(cell, x, chosen, start)
        torch.testing.assert_close(outputs, plain)
        torch.testing.assert_close(tensors(state), tensors(plain_state))


def test_two_halves_with_carried_state_equal_the_whole(cell: Cell) -> None:
    x = inputs(BATCH, TIME)
    whole, end = cell(x, None, cell.initial_state((BATCH,)))
    first, state = cell(x[:, :2], None, cell.initial_state((BATCH,)))
    second, state = cell(x[:, 2:], None, state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(tensors(state), tensors(end))


def test_padding_changes_neither_outputs_nor_state(cell: Cell) -> None:
    x = inputs(BATCH, TIME)
    mask = torch.ones(BATCH, TIME, dtype=torch.bool)
    mask[:, 3:] = False
    outputs, state = cell(x, mask, cell.initial_state((BATCH,)))
    alone, alone_state = cell(x[:, :3], None, cell.initial_state((BATCH,)))
    torch.testing.assert_close(outputs[:, :3], alone)
    torch.testing.assert_close(tensors(state), tensors(alone_state))
    assert not outputs[:, 3:].any()


def test_steps_take_any_leading_axes(cell: Cell) -> None:
    x = torch.randn(2, 3, INPUT, dtype=torch.float64)
    output, _ = cell.step(x, cell.initial_state((2, 3)), cell.dropout_masks((2, 3)))
    flat, _ = cell.step(x.flatten(0, 1), cell.initial_state((6,)), cell.dropout_masks((6,)))
    torch.testing.assert_close(output.flatten(0, 1), flat)


def test_gradients_equal_numerical_ones(cell: Cell) -> None:
    x = torch.randn(2, 3, INPUT, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    names = [name for name, _ in cell.named_parameters()]
    start = [torch.rand_like(part).requires_grad_() for part in tensors(cell.initial_state((2,)))]

    def run(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        parts = iter(values[: len(start)])
        state = map_state(lambda _: next(parts), cell.initial_state((2,)))
        weights = dict(zip(names, values[len(start) :], strict=True))
        outputs: torch.Tensor = torch.func.functional_call(cell, weights, (x, mask, state))[0]
        return outputs

    assert torch.autograd.gradcheck(run, (x, *start, *cell.parameters()), fast_mode=True)


@pytest.mark.usefixtures("all_formats")
@pytest.mark.parametrize("name", CELLS)
def test_bf16_training_stays_close_to_fp32(name: str) -> None:
    torch.manual_seed(0)
    cell = maker(name)(16, 32)
    x = torch.randn(BATCH, 20, 16)
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            outputs, end = cell(x, None, cell.initial_state((BATCH,)))
            repeated, _ = cell.loop(x, None, cell.initial_state((BATCH,)), cell.dropout_masks((BATCH,)))
        torch.testing.assert_close(outputs.float(), repeated.float(), atol=0.1, rtol=0.1)
        cell.zero_grad()
        (outputs.float() ** 2).sum().backward()
        gradients.append(torch.cat([value.grad.flatten() for value in cell.parameters()]))  # type: ignore[union-attr]
        assert all(part.isfinite().all() for part in tensors(end))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.98


@pytest.mark.usefixtures("all_formats")
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_without_an_input_reads_its_state(name: str) -> None:
    """What a deep transition's later cells are; no weight stands there unused."""
    torch.manual_seed(0)
    cell = maker(name)(0, HIDDEN)
    for dtype in (torch.float32, torch.bfloat16):
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            outputs, end = cell(torch.zeros(BATCH, TIME, 0), None, map_state(torch.ones_like, filled(cell)))
        assert outputs.shape == (BATCH, TIME, HIDDEN) and all(part.isfinite().all() for part in tensors(end))
    assert all(parameter.numel() for parameter in cell.parameters())


@pytest.mark.parametrize("name", [name for name in CELLS if "weight_dropout" in node(name)])
def test_recurrent_weights_start_orthogonal_gate_by_gate(name: str) -> None:
    torch.manual_seed(0)
    recurrent = maker(name)(INPUT, HIDDEN).get_parameter("recurrent")
    for block in recurrent.split(HIDDEN):
        torch.testing.assert_close(block @ block.T, torch.eye(HIDDEN), atol=1e-5, rtol=1e-5)
        assert torch.equal(block, torch.eye(HIDDEN)) == (name == "irnn")


@pytest.mark.parametrize("name", [name for name in CELLS if "forget_bias" in node(name)])
def test_the_forget_bias_starts_where_it_is_set(name: str) -> None:
    moved = maker(name, forget_bias=2.5)(INPUT, HIDDEN).bias
    usual = maker(name, forget_bias=0.0)(INPUT, HIDDEN).bias
    changed = [
        block for block, other in zip(moved.split(HIDDEN), usual.split(HIDDEN), strict=True) if block.ne(other).any()
    ]
    assert len(changed) == 1 and changed[0].eq(2.5).all()


@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
def test_exponential_gates_overflow_nowhere(forget: str) -> None:
    """Gates as extreme as e^200 from the first step on, and states as a bridge fills them."""
    cell = maker("slstm", forget=forget)(INPUT, HIDDEN)
    for gates in ((-200.0, -200.0), (200.0, 200.0), (-200.0, 200.0), (200.0, -200.0)):
        with torch.no_grad():
            cell.bias[: 2 * HIDDEN] = torch.tensor(gates).repeat_interleave(HIDDEN)
        for start in (cell.initial_state((BATCH,)), map_state(lambda part: -torch.rand_like(part), filled(cell))):
            cell.zero_grad()
            outputs, end = cell(torch.randn(BATCH, TIME, INPUT), None, start)
            outputs.sum().backward()
            assert outputs.abs().max() <= 1 and all(part.isfinite().all() for part in tensors(end))
            assert all(value.grad is not None and value.grad.isfinite().all() for value in cell.parameters())


@pytest.mark.parametrize(
    ("name", "key", "value", "said"),
    [
        ("lstm", "weight_dropout", 1.0, "cell.weight_dropout: expected a rate"),
        ("gru", "state_dropout", -0.1, "cell.state_dropout: expected a rate"),
        ("rnn", "activation", "gelu", "activation: expected one of tanh, relu"),
        ("slstm", "forget", "tanh", "forget: expected one of sigmoid, exp"),
        ("rg_lru", "longest", 1.0, "cell.shortest, cell.longest: expected"),
        ("deep_transition", "transitions", 0, "cell.transitions: expected a positive int"),
    ],
)
def test_impossible_values_are_named(name: str, key: str, value: object, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        maker(name, **{key: value})(INPUT, HIDDEN)


def test_the_cell_inside_a_deep_transition_is_an_override() -> None:
    """For the decoder by itself, as its cell is another one."""
    text = ["corpus=files", "corpus.path=nowhere", "corpus.directions=[en-de]"]
    chosen = ["cell=deep_transition", "cell@cell.transition=lstm", "cell@decoder_cell.transition=ssru"]
    with initialize_config_dir(str(CONF.absolute()), version_base="1.3"):
        config = compose("train", [*text, *chosen])
    targets = [config[key].cell.transition._target_.split(".")[-1] for key in ("encoder", "decoder")]
    assert targets == ["LSTM", "SSRU"]
