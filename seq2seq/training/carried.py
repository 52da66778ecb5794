"""Running text in training: the state that a batch ends in is where the next one begins (Williams & Peng 1990)."""

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.nn import Parameter

from seq2seq.data.batch import Batch
from seq2seq.network.state import State, map_state, merge, tensors
from seq2seq.training.gradient import Network


@runtime_checkable
class Reader(Network, Protocol):
    """A network that reads a text in pieces."""

    def initial_state(self, batch: int, /) -> State:
        """Before the first token of each of `batch` rows."""
        ...

    def read(self, tokens: Tensor, mask: Tensor | None, state: State, /) -> tuple[Tensor, State]:
        """Features `[batch, time, width]`, and the state after the last token."""
        ...


class Carried:
    """A network over running text: truncated back-propagation through time.

    A row of a batch goes on from the state in which that row of the batch before it ended, where it begins at the place
    where that one ended (`pairs`, see data/stream.py), and from an initial state everywhere else: so an epoch, or a
    pass over held-out text, starts anew by itself. Values are carried, gradients are not. A state that is not finite
    is not carried. The carried state is part of a checkpoint.
    """

    def __init__(self, model: Reader) -> None:
        self.model = model
        self.state: State = ()
        self.ends: Tensor | None = None  # the place that follows each row

    def __call__(self, batch: Batch) -> Tensor:
        """Features of the real target tokens, row by row."""
        features, state = self.model.read(batch.target[:, :-1], None, self._before(batch.pairs))
        self.state = map_state(lambda tensor: tensor.detach().float(), state)
        self.ends = batch.pairs + batch.target.shape[1] - 1
        real = batch.target_mask[:, 1:].flatten().nonzero().squeeze(1)
        return features.flatten(0, 1).index_select(0, real)

    def tensors(self) -> dict[str, Tensor]:
        """What is carried, by name; nothing before the first batch."""
        if self.ends is None:
            return {}
        return {"ends": self.ends} | {str(number): tensor for number, tensor in enumerate(tensors(self.state))}

    def restore(self, found: Mapping[str, Tensor]) -> None:
        """Carry what `tensors` gave. Raises KeyError where that was another model's."""
        if "ends" not in found:
            return
        device = self.output_weight.device
        self.ends = found["ends"].to(device)
        numbers = iter(range(len(found)))
        initial = self.model.initial_state(len(self.ends))
        self.state = map_state(lambda _: found[str(next(numbers))].to(device), initial)

    def _before(self, places: Tensor) -> State:
        """The state in which each row begins."""
        state = self.model.initial_state(len(places))
        if self.ends is None or len(self.ends) != len(places):
            return state
        going = (self.ends == places) & (places[0] > 0)  # a text begins at place 0
        for tensor in tensors(self.state):
            going = going & tensor.isfinite().flatten(1).all(1)
        return merge(going.unsqueeze(1), self.state, state)

    @property
    def training(self) -> bool:
        """As the model."""
        return self.model.training

    @property
    def output_weight(self) -> Tensor:
        """As the model."""
        return self.model.output_weight

    @property
    def output_bias(self) -> Tensor:
        """As the model."""
        return self.model.output_bias

    def train(self, mode: bool) -> object:
        """As the model."""
        return self.model.train(mode)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """As the model."""
        return self.model.named_parameters()

    def state_dict(self) -> dict[str, Tensor]:
        """As the model."""
        return self.model.state_dict()
