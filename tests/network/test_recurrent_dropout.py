"""Laws of the two dropouts of recurrent weights, over every cell that has some."""

import pytest
import torch
from toy_cell import CELLS, HIDDEN, drawn_cell, inputs, node

from seq2seq.network.cell.base import Cell
from seq2seq.network.cell.recurrence import Recurrence
from seq2seq.network.state import State, tensors

BATCH, TIME = 3, 5
names = pytest.mark.parametrize("name", [name for name in CELLS if "weight_dropout" in node(name)])
rates = pytest.mark.parametrize("rate", ["weight_dropout", "state_dropout"])


def run(cell: Cell, seed: int, loop: bool = False) -> tuple[torch.Tensor, State]:
    torch.manual_seed(0)
    x = inputs(BATCH, TIME)
    torch.manual_seed(seed)
    start = cell.initial_state((BATCH,))
    return cell.loop(x, None, start, cell.dropout_masks((BATCH,))) if loop else cell(x, None, start)


@names
@rates
def test_it_acts_in_training_only(name: str, rate: str) -> None:
    cell = drawn_cell(name, **{rate: 0.5})
    plain, _ = run(drawn_cell(name).train(), 1)
    assert not torch.allclose(run(cell.train(), 1)[0], plain)
    assert not torch.equal(run(cell.train(), 1)[0], run(cell.train(), 2)[0])
    assert torch.equal(run(cell.eval(), 1)[0], plain)


@names
@rates
def test_one_draw_holds_for_all_steps_of_a_pass(name: str, rate: str) -> None:
    """Fused kernel or not, forward is the loop of steps that all see what was drawn at the start."""
    cell = drawn_cell(name, **{rate: 0.5}).train()
    outputs, end = run(cell, 1)
    looped, looped_end = run(cell, 1, loop=True)
    torch.testing.assert_close(outputs, looped)
    torch.testing.assert_close(tensors(end), tensors(looped_end))


@names
@rates
def test_the_past_is_as_large_as_without_it_on_average(name: str, rate: str) -> None:
    cell = drawn_cell(name, **{rate: 0.25}).train()
    assert isinstance(cell, Recurrence)
    hidden = torch.randn(1000, HIDDEN, dtype=torch.float64)
    expected = hidden @ cell.recurrent.T
    found = [cell.past(hidden, Recurrence.dropout_masks(cell, (1000,))) for _ in range(100)]
    ratio = (torch.stack(found) * expected).mean() / expected.square().mean()
    assert abs(ratio.item() - 1) < 0.03  # without scaling it would be 0.75


@names
def test_each_sequence_drops_features_of_its_own(name: str) -> None:
    cell = drawn_cell(name, state_dropout=0.5).train()
    assert isinstance(cell, Recurrence)
    mask = Recurrence.dropout_masks(cell, (50, 2))[1]
    assert mask.shape == (50, 2, HIDDEN) and set(mask.unique().tolist()) == {0, 2}
    assert len(mask.flatten(0, 1).unique(dim=0)) > 30


@names
def test_a_dropped_matrix_is_cast_once_a_pass(name: str) -> None:
    cell = drawn_cell(name, weight_dropout=0.5).float().train()
    assert isinstance(cell, Recurrence)
    with torch.autocast("cpu", torch.bfloat16):
        assert Recurrence.dropout_masks(cell, (BATCH,))[0].dtype == torch.bfloat16


@rates
def test_a_deep_transition_draws_for_each_of_its_cells(rate: str) -> None:
    cell = drawn_cell("deep_transition", transition={**node("lstm"), rate: 0.5}).train()
    assert torch.equal(run(cell, 1)[0], run(cell, 1, loop=True)[0])
    assert not torch.equal(run(cell, 1)[0], run(cell.eval(), 1)[0])
