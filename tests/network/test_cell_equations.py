"""Every cell is what its equations say: torch's own modules, or a few lines written a second time.

A plain cell here is `(cell, x, state) -> (output, state)` for one position, with each gate's weights by themselves.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, sigmoid, tanh
from toy_cell import CELLS, HIDDEN, INPUT, drawn_cell, inputs, node

from seq2seq.network.cell.base import Cell
from seq2seq.network.cell.deep_transition import DeepTransition

BATCH, TIME = 3, 5
Parts = tuple[Tensor, ...]
TWINS = {
    "lstm": (torch.nn.LSTM, {}),
    "gru": (torch.nn.GRU, {}),
    "rnn": (torch.nn.RNN, {"nonlinearity": "tanh"}),
    "irnn": (torch.nn.RNN, {"nonlinearity": "relu"}),
}


def blocks(cell: Cell, name: str) -> tuple[Tensor, ...]:
    """A parameter cut into its gates."""
    return cell.get_parameter(name).split(HIDDEN)


def inputs_of(cell: Cell, x: Tensor) -> list[Tensor]:
    """W x + b of every gate."""
    return [x @ weight.T + bias for weight, bias in zip(blocks(cell, "weight"), blocks(cell, "bias"), strict=True)]


def sums_of(cell: Cell, x: Tensor, h: Tensor) -> list[Tensor]:
    """W x + U h + b of every gate."""
    past = [h @ matrix.T for matrix in blocks(cell, "recurrent")]
    return [one + other for one, other in zip(inputs_of(cell, x), past, strict=True)]


def cho_gru(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    (h,) = state
    reset, update, _ = sums_of(cell, x, h)
    z = sigmoid(update)
    n = tanh(inputs_of(cell, x)[2] + (sigmoid(reset) * h) @ blocks(cell, "recurrent")[2].T)
    return (1 - z) * n + z * h, ((1 - z) * n + z * h,)


def simple_gru(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    (h,) = state
    update, candidate = sums_of(cell, x, h)
    new = sigmoid(update) * tanh(candidate) + (1 - sigmoid(update)) * h
    return new, (new,)


def peephole_lstm(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    h, c = state
    i, f, g, o = sums_of(cell, x, h)
    peep_i, peep_f, peep_o = cell.get_parameter("peephole")
    c = sigmoid(f + peep_f * c) * c + sigmoid(i + peep_i * c) * tanh(g)
    h = sigmoid(o + peep_o * c) * tanh(c)
    return h, (h, c)


def coupled_lstm(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    h, c = state
    f, g, o = sums_of(cell, x, h)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(g)
    return sigmoid(o) * tanh(c), (sigmoid(o) * tanh(c), c)


def normalised(x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 1e-5)


def layer_norm_lstm(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    h, c = state
    parameter = cell.get_parameter
    past = normalised(h @ parameter("recurrent").T) * parameter("recurrent_scale")
    sums = past + normalised(x @ parameter("weight").T) * parameter("input_scale") + parameter("bias")
    i, f, g, o = sums.split(HIDDEN, dim=-1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(normalised(c) * parameter("cell_scale") + parameter("cell_bias"))
    return h, (h, c)


def slstm(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    """Without the stabiliser: c and n as they are, in numbers that fp64 still holds."""
    h, c, n, m = state
    i, f, z, o = sums_of(cell, x, h)
    forget = sigmoid(f) if cell.forget == "sigmoid" else torch.exp(f)  # type: ignore[comparison-overlap]
    c = forget * c + torch.exp(i) * tanh(z)
    n = forget * n + torch.exp(i)
    h = sigmoid(o) * c / n
    return h, (h, c, n, m)


def min_gru(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    update, candidate = inputs_of(cell, x)
    h = (1 - sigmoid(update)) * state[0] + sigmoid(update) * candidate
    return h, (h,)


def min_lstm(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    forget, update, candidate = inputs_of(cell, x)
    f, i = sigmoid(forget), sigmoid(update)
    h = f / (f + i) * state[0] + i / (f + i) * candidate
    return h, (h,)


def sru(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    forget, reset, value, highway = inputs_of(cell, x)
    c = sigmoid(forget) * state[0] + (1 - sigmoid(forget)) * value
    return sigmoid(reset) * c + (1 - sigmoid(reset)) * highway, (c,)


def ssru(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    forget, value = inputs_of(cell, x)
    c = sigmoid(forget) * state[0] + (1 - sigmoid(forget)) * value
    return c.clamp(min=0), (c,)


def rg_lru(cell: Cell, x: Tensor, state: Parts) -> tuple[Tensor, Parts]:
    gate, update, value = inputs_of(cell, x)
    a = sigmoid(cell.get_parameter("decay")) ** (8 * sigmoid(gate))
    h = a * state[0] + torch.sqrt(1 - a**2) * sigmoid(update) * value
    return h, (h,)


PLAIN: dict[str, Callable[[Cell, Tensor, Parts], tuple[Tensor, Parts]]] = {
    plain.__name__: plain
    for plain in (
        *(cho_gru, simple_gru, peephole_lstm, coupled_lstm, layer_norm_lstm, slstm),
        *(min_gru, min_lstm, sru, ssru, rg_lru),
    )
}


@pytest.mark.parametrize(("name", "changed"), [*((name, {}) for name in PLAIN), ("slstm", {"forget": "exp"})])
def test_a_cell_computes_its_equations(name: str, changed: dict[str, str]) -> None:
    cell, x = drawn_cell(name, **changed), inputs(BATCH, TIME)
    outputs, _ = cell(x, None, cell.initial_state((BATCH,)))
    zeros = cell.initial_state((BATCH,))
    state = zeros if isinstance(zeros, tuple) else (zeros,)
    for time in range(TIME):
        output, state = PLAIN[name](cell, x[:, time], state)
        torch.testing.assert_close(outputs[:, time], output)


@pytest.mark.parametrize("name", TWINS)
def test_equals_torch_with_the_same_weights(name: str) -> None:
    kind, options = TWINS[name]
    torch.manual_seed(0)
    other = kind(INPUT, HIDDEN, batch_first=True, **options).double()
    mine = drawn_cell(name)
    with torch.no_grad():
        mine.get_parameter("weight").copy_(other.weight_ih_l0)
        mine.get_parameter("recurrent").copy_(other.weight_hh_l0)
        mine.bias.copy_(other.bias_ih_l0 + other.bias_hh_l0)
        if name == "gru":
            mine.bias[-HIDDEN:] = other.bias_ih_l0[-HIDDEN:]
            mine.get_parameter("candidate_bias").copy_(other.bias_hh_l0[-HIDDEN:])
    x = inputs(BATCH, TIME)
    torch.testing.assert_close(mine(x, None, mine.initial_state((BATCH,)))[0], other(x)[0])


@pytest.mark.parametrize("inner", ["gru", "slstm", "min_gru"])
def test_a_deep_transition_is_its_cells_one_after_the_other(inner: str) -> None:
    """The first reads the input; the others get the state of the one before them and no input."""
    cell = drawn_cell("deep_transition", transition=node(inner), transitions=3)
    assert isinstance(cell, DeepTransition)
    x, state = inputs(BATCH, TIME), cell.initial_state((BATCH,))
    outputs, _ = cell(x, None, state)
    nothing = x.new_zeros(BATCH, 0)
    for time in range(TIME):
        for index, part in enumerate(cell.cells):
            assert isinstance(part, Cell)
            output, state = part.step(nothing if index else x[:, time], state, part.dropout_masks((BATCH,)))
        torch.testing.assert_close(outputs[:, time], output)


def test_every_cell_has_its_equations_here() -> None:
    assert set(CELLS) == {*PLAIN, *TWINS, "deep_transition"}
