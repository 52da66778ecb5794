"""Where the state of every hypothesis stands, so that a step reads none that has been given up."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from seq2seq.network.state import State, map_state, select

WORTH = 0.9  # share of open hypotheses above which a step reads all: they share their sentence's memory


class Layout(NamedTuple):
    """Hypotheses of several sentences as a step reads them.

    `places` None: all, in the rectangle `[batch, beam]` that the search thinks in. Otherwise only those at these places
    of the rectangle, flattened, each as a sentence of its own with one hypothesis and a copy of its sentence's memory.
    """

    batch: int
    beam: int
    places: Int[Tensor, " rows"] | None = None

    def gather(self, tokens: Int[Tensor, "batch beam"]) -> Tensor:
        """The tokens that a step reads."""
        return tokens if self.places is None else tokens.flatten().index_select(0, self.places).unsqueeze(1)

    def memory(self, memory: State) -> State:
        """The memory that a step reads, of the sentences' own."""
        return memory if self.places is None else select(memory, self.places // self.beam)

    def spread(self, found: Tensor, missing: float) -> Tensor:
        """What a step gave, back in the rectangle: `[batch, beam, ...]`, with `missing` where nothing was read."""
        if self.places is None:
            return found
        rectangle = found.new_full((self.batch * self.beam, *found.shape[2:]), missing)
        rectangle.index_copy_(0, self.places, found.squeeze(1))
        return rectangle.view(self.batch, self.beam, *found.shape[2:])

    def follow(
        self, state: State, rows: Int[Tensor, " kept"], parents: Int[Tensor, "kept longer"], going: Bool[Tensor, "..."]
    ) -> "tuple[Layout, State]":
        """The next step's layout and state: of the parents in the rows that stay, where `going` says so."""
        batch, beam = parents.shape
        origins = (rows.unsqueeze(1) * self.beam + parents).flatten()
        if self.places is not None:
            numbers = torch.zeros(self.batch * self.beam, dtype=torch.long, device=rows.device)
            numbers[self.places] = torch.arange(len(self.places), device=rows.device)
            origins = numbers[origins]
        open_places = going.flatten().nonzero().squeeze(1)
        if len(open_places) > WORTH * batch * beam:
            return Layout(batch, beam), _moved(state, origins, (batch, beam))
        return Layout(batch, beam, open_places), _moved(state, origins[open_places], (len(open_places), 1))


def _moved(state: State, origins: Tensor, shape: tuple[int, int]) -> State:
    """The states at these rows of all hypotheses, one below the other, in a new rectangle."""

    def move(tensor: Tensor) -> Tensor:
        return tensor.flatten(0, 1).index_select(0, origins).reshape(*shape, *tensor.shape[2:])

    return map_state(move, state)
