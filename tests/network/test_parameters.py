"""Counts of parameters equal the formulas of the course notes, and those that follow from them for the other cells.

n_x features go in, n_a are the state, n_y words may come out.
"""

import pytest
import torch
from toy_cell import CELLS, maker
from toy_network import toy_model

SIZES = [(5, 7), (8, 3), (6, 6)]


def rnn(n_x: int, n_a: int) -> int:
    """The notes: (n_a + n_x) n_a + n_a."""
    return (n_a + n_x) * n_a + n_a


def gate(n_x: int, n_a: int) -> int:
    """A gate that sees the input only."""
    return n_x * n_a + n_a


def formula(name: str, n_x: int, n_a: int) -> int:
    return {
        "rnn": rnn(n_x, n_a),
        "irnn": rnn(n_x, n_a),
        "cho_gru": 3 * rnn(n_x, n_a),  # the notes: three times the RNN
        "gru": 3 * rnn(n_x, n_a) + n_a,  # reset after the product: the bias inside it cannot join the other one
        "simple_gru": 2 * rnn(n_x, n_a),
        "lstm": 4 * rnn(n_x, n_a),  # the notes: four times
        "peephole_lstm": 4 * rnn(n_x, n_a) + 3 * n_a,
        "coupled_lstm": 3 * rnn(n_x, n_a),
        "layer_norm_lstm": 4 * rnn(n_x, n_a) + (4 + 4 + 2) * n_a,  # scales of both products; scale and bias of c
        "slstm": 4 * rnn(n_x, n_a),
        "min_gru": 2 * gate(n_x, n_a),
        "min_lstm": 3 * gate(n_x, n_a),
        "sru": 4 * gate(n_x, n_a),
        "ssru": 2 * gate(n_x, n_a),
        "rg_lru": 3 * gate(n_x, n_a) + n_a,
        "deep_transition": formula_of_two_grus(n_x, n_a),
    }[name]


def formula_of_two_grus(n_x: int, n_a: int) -> int:
    """The second one has no input."""
    return 3 * rnn(n_x, n_a) + n_a + 3 * rnn(0, n_a) + n_a


@pytest.mark.parametrize(("n_x", "n_a"), SIZES)
@pytest.mark.parametrize("name", CELLS)
def test_a_cell_has_as_many_as_its_formula_says(name: str, n_x: int, n_a: int) -> None:
    cell = maker(name)(n_x, n_a)
    assert sum(parameter.numel() for parameter in cell.parameters()) == formula(name, n_x, n_a)


def test_the_output_layer_has_as_many_as_the_notes_say() -> None:
    model = toy_model()
    n_y, n_a = model.output_weight.shape
    assert isinstance(model.output_bias, torch.nn.Parameter)
    assert model.output_weight.numel() + model.output_bias.numel() == n_a * n_y + n_y
    assert model.logits(torch.zeros(2, n_a)).shape == (2, n_y)
