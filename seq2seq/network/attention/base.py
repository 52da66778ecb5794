"""What every attention is: keys computed once per sentence, then one context per query."""

from abc import ABC, abstractmethod

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seq2seq.network.state import State


class Attention(nn.Module, ABC):
    """Contexts of `context_size` numbers, drawn from a memory for queries of `query_size`. Stateless."""

    def __init__(self, query_size: int, memory_size: int, context_size: int) -> None:
        super().__init__()
        self.query_size = query_size
        self.memory_size = memory_size
        self.context_size = context_size

    @abstractmethod
    def keys(self, memory: Float[Tensor, "batch source memory"]) -> State:
        """Everything that depends on the memory alone, so that it is computed once per sentence."""

    @abstractmethod
    def forward(
        self, query: Float[Tensor, "batch target query"], keys: State, mask: Bool[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch target context"], Float[Tensor, "batch target source"]]:
        """Contexts and weights (sum 1 over real positions, 0 on padding) of all positions of a target, in order."""

    def start(self, mask: Bool[Tensor, "batch source"]) -> State:
        """What a query knows of earlier ones before the first, `[batch, 1, ...]`: nothing, but for coverage."""
        return ()

    def step(
        self, query: Float[Tensor, "batch beam query"], keys: State, mask: Bool[Tensor, "batch source"], past: State
    ) -> tuple[Float[Tensor, "batch beam context"], Float[Tensor, "batch beam source"], State]:
        """One position of every hypothesis, with what it knows of earlier ones; `forward` equals repeated `step`."""
        return *self(query, keys, mask), past
