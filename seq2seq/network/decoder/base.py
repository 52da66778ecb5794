"""What every decoder is: all positions at once in training, one position of every hypothesis in search."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from seq2seq.network.bridge import Bridge
from seq2seq.network.encoder import Memory
from seq2seq.network.state import State


class Decoder(nn.Module, ABC):
    """`forward` equals `start` and repeated `step`, to rounding. Embeddings in, features out, both of `width`.

    It is made from the width and what `Memory.last` looks like (`Encoder.initial_states(1)`), for its bridge.
    """

    bridge: Bridge

    @property
    def reads_last(self) -> bool:
        """Whether the memory must hold the encoder's last states."""
        return self.bridge.reads_last

    @abstractmethod
    def forward(self, x: Float[Tensor, "batch target width"], memory: Memory) -> Float[Tensor, "batch target width"]:
        """Features of every position from the embeddings of the tokens before them."""

    @abstractmethod
    def start(self, memory: Memory) -> tuple[State, State]:
        """`(prepared, state)`: what a sentence needs once (`[batch, ...]`), and the first state (`[batch, 1, ...]`)."""

    def project(self, x: Float[Tensor, "batch beam width"]) -> State:
        """The part of a step that depends on its word alone: tensors `[batch, beam, ...]`."""
        return x

    @abstractmethod
    def advance(
        self, projected: State, state: State, prepared: State
    ) -> tuple[Float[Tensor, "batch beam width"], State]:
        """One step from a projected word."""

    def step(
        self, x: Float[Tensor, "batch beam width"], state: State, prepared: State
    ) -> tuple[Float[Tensor, "batch beam width"], State]:
        """Features of the next position of every hypothesis; every tensor of the state is `[batch, beam, ...]`."""
        return self.advance(self.project(x), state, prepared)
