"""Deep transitions: several cells from one position to the next (Pascanu et al. 2014; Miceli Barone et al. 2017)."""

from collections.abc import Callable
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.network.cell.base import Cell
from seq2seq.network.state import State


class DeepTransition(Cell):
    """`transitions` cells of one kind; the first reads the input, the others only the state (BiDeep).

        s_1 = cell_1(x, s)
        s_k = cell_k(s_{k-1})        k = 2 ... transitions
        s'  = s_transitions

    State: the inner cell's. Any cell will do; `transition` is its node. Its output is the last cell's.
    """

    def __init__(
        self, input_size: int, hidden_size: int, transitions: int, transition: Callable[[int, int], Cell]
    ) -> None:
        super().__init__(input_size, hidden_size)
        if transitions < 1:
            raise ConfigError(f"cell.transitions: expected a positive int, got {transitions}")
        self.cells = nn.ModuleList(transition(0 if index else input_size, hidden_size) for index in range(transitions))

    def initial_state(self, shape: tuple[int, ...]) -> State:
        return self._stack[0].initial_state(shape)

    def project(self, x: Float[Tensor, "*shape input"]) -> Float[Tensor, "*shape gates"]:
        return self._stack[0].project(x)

    def dropout_masks(self, shape: tuple[int, ...]) -> State:
        """The first cell's own, then `(sums without an input, the cell's own)` of each other cell."""
        first, *others = self._stack
        nothing = self.zeros(shape)[..., :0]
        return first.dropout_masks(shape), *((cell.project(nothing), cell.dropout_masks(shape)) for cell in others)

    def advance(
        self, projected: Float[Tensor, "*shape gates"], state: State, masks: State
    ) -> tuple[Float[Tensor, "*shape hidden"], State]:
        first, *others = self._stack
        output, state = first.advance(projected, state, masks[0])
        for cell, (sums, inner) in zip(others, masks[1:], strict=True):
            output, state = cell.advance(sums, state, inner)
        return output, state

    @property
    def _stack(self) -> list[Cell]:
        return cast("list[Cell]", list(self.cells))
