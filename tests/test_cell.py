"""Laws that every cell obeys, whatever fused kernel computes it."""

import pytest
import torch
from toy_network import member, members

from seq2seq.network.cell.base import Cell
from seq2seq.network.cell.gru import GRU
from seq2seq.network.cell.lstm import LSTM
from seq2seq.network.state import tensors

BATCH, TIME, INPUT, HIDDEN = 3, 5, 4, 6


@pytest.fixture(params=members("cell"))
def cell(request: pytest.FixtureRequest) -> Cell:
    torch.manual_seed(0)
    made: Cell = member("cell", request.param)(INPUT, HIDDEN).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter)
    return made


def inputs() -> torch.Tensor:
    return torch.randn(BATCH, TIME, INPUT, dtype=torch.float64)


def test_forward_equals_repeated_steps(cell: Cell) -> None:
    x = inputs()
    outputs, end = cell(x, None, cell.initial_state((BATCH,)))
    state, drawn = cell.initial_state((BATCH,)), cell.draw((BATCH,))
    for time in range(TIME):
        output, state = cell.step(x[:, time], state, drawn)
        torch.testing.assert_close(output, outputs[:, time])
    torch.testing.assert_close(tensors(state), tensors(end))


def test_the_fused_forward_equals_the_plain_loop(cell: Cell) -> None:
    x, mask = inputs(), torch.arange(TIME) < torch.tensor([[5], [2], [0]])
    start = cell.initial_state((BATCH,))
    for chosen in (None, mask):
        outputs, state = cell(x, chosen, start)
        plain, plain_state = Cell.forward(cell, x, chosen, start)
        torch.testing.assert_close(outputs, plain)
        torch.testing.assert_close(tensors(state), tensors(plain_state))


def test_two_halves_with_carried_state_equal_the_whole(cell: Cell) -> None:
    x = inputs()
    whole, end = cell(x, None, cell.initial_state((BATCH,)))
    first, state = cell(x[:, :2], None, cell.initial_state((BATCH,)))
    second, state = cell(x[:, 2:], None, state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    torch.testing.assert_close(tensors(state), tensors(end))


def test_padding_changes_neither_outputs_nor_state(cell: Cell) -> None:
    x = inputs()
    mask = torch.ones(BATCH, TIME, dtype=torch.bool)
    mask[:, 3:] = False
    outputs, state = cell(x, mask, cell.initial_state((BATCH,)))
    alone, alone_state = cell(x[:, :3], None, cell.initial_state((BATCH,)))
    torch.testing.assert_close(outputs[:, :3], alone)
    torch.testing.assert_close(tensors(state), tensors(alone_state))
    assert not outputs[:, 3:].any()


def test_steps_take_any_leading_axes(cell: Cell) -> None:
    x = torch.randn(2, 3, INPUT, dtype=torch.float64)
    output, _ = cell.step(x, cell.initial_state((2, 3)), cell.draw((2, 3)))
    flat, _ = cell.step(x.flatten(0, 1), cell.initial_state((6,)), cell.draw((6,)))
    torch.testing.assert_close(output.flatten(0, 1), flat)


def test_gradients_equal_numerical_ones(cell: Cell) -> None:
    x = torch.randn(2, 3, INPUT, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    names = [name for name, _ in cell.named_parameters()]

    def run(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        arguments = (x, mask, cell.initial_state((2,)))
        outputs: torch.Tensor = torch.func.functional_call(cell, dict(zip(names, values, strict=True)), arguments)[0]
        return outputs

    assert torch.autograd.gradcheck(run, (x, *cell.parameters()))


@pytest.mark.parametrize(("ours", "theirs"), [(LSTM, torch.nn.LSTM), (GRU, torch.nn.GRU)])
def test_equals_torch_with_the_same_weights(ours: type[Cell], theirs: type[torch.nn.RNNBase]) -> None:
    other = theirs(INPUT, HIDDEN, batch_first=True).double()
    mine = member("cell", ours.__name__.lower())(INPUT, HIDDEN).double()
    with torch.no_grad():
        mine.weight.copy_(other.weight_ih_l0)
        mine.recurrent.copy_(other.weight_hh_l0)
        mine.bias.copy_(other.bias_ih_l0 + other.bias_hh_l0)
        if isinstance(mine, GRU):
            mine.bias[-HIDDEN:] = other.bias_ih_l0[-HIDDEN:]
            mine.candidate_bias.copy_(other.bias_hh_l0[-HIDDEN:])
    x = inputs()
    torch.testing.assert_close(mine(x, None, mine.initial_state((BATCH,)))[0], other(x)[0])


def test_the_forget_bias_starts_where_it_is_set() -> None:
    bias = member("cell", "lstm")(INPUT, HIDDEN, forget_bias=2.5).bias
    assert bias[HIDDEN : 2 * HIDDEN].eq(2.5).all() and not bias[:HIDDEN].any() and not bias[2 * HIDDEN :].any()
