"""Running text in training: the state that a batch ends in is where the next one begins (Williams & Peng 1990)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import Parameter

from seq2seq.data.loader.batch import Batch
from seq2seq.network.state import State, map_state, merge, tensors
from seq2seq.training.trainable import Trainable


@runtime_checkable
class Reader(Trainable, Protocol):
    """A network that reads a text in pieces."""

    def initial_state(self, batch: int, /) -> State:
        """Before the first token of each of `batch` rows."""
        ...

    def read(self, tokens: Tensor, mask: Tensor | None, state: State, /) -> tuple[Tensor, State]:
        """Features `[batch, time, width]`, and the state after the last token."""
        ...


class CarriedState(NamedTuple):
    """The state in which the rows of a batch ended, and the place in the text that follows each."""

    ends: Tensor
    state: State


class TruncatedBPTT:
    """A network over running text: truncated back-propagation through time.

    Batches take turns: each of `parts` has its own rows. A batch continues from the state in which its rows ended,
    identified by the position where they begin (`pairs`), and from an initial state if no rows ended there: so an
    epoch, or a pass over held-out text, starts afresh. Values are carried, gradients are not. A state with non-finite
    numbers is not carried. Carried states are part of checkpoints.
    """

    def __init__(self, model: Reader, parts: int) -> None:
        self.model = model
        self.parts = parts  # number of batches whose states are kept; a process keeps those of its own batches only
        self.past: list[CarriedState] = []  # the newest last

    def __call__(self, batch: Batch) -> Tensor:
        """Features of the real target tokens, row by row."""
        features, state = self.model.read(batch.target[:, :-1], None, self._before(batch.pairs))
        ends = batch.pairs + batch.target.shape[1] - 1
        self.past.append(CarriedState(ends, map_state(lambda tensor: tensor.detach().float(), state)))
        del self.past[: -self.parts]
        real = batch.target_mask[:, 1:].flatten().nonzero().squeeze(1)
        return features.flatten(0, 1).index_select(0, real)

    def carried(self) -> list[list[Tensor]]:
        """Of each batch, where its rows ended and the tensors of their state."""
        return [[past.ends, *tensors(past.state)] for past in self.past[-self.parts :]]

    def restore(self, carried: Sequence[Sequence[Tensor]]) -> None:
        """Carry what `carried` gave. Raises KeyError where that was another model's."""
        device = self.output_weight.device
        self.past = []
        for ends, *state in carried:
            initial = self.model.initial_state(len(ends))
            if [one.shape for one in state] != [one.shape for one in tensors(initial)]:
                raise KeyError("a state of other sizes")
            kept = iter([tensor.to(device) for tensor in state])
            self.past.append(CarriedState(ends.to(device), _nested(kept, initial)))

    def take(self, worker: int, count: int) -> None:
        """Keep the states of every `count`-th batch, from number `worker` on: those that one process of many reads."""
        self.past = self.past[worker::count]
        self.parts = len(range(worker, self.parts, count))

    def _before(self, places: Tensor) -> State:
        """The state in which each row begins."""
        initial = self.model.initial_state(len(places))
        for number, (ends, state) in enumerate(self.past):
            if torch.equal(ends, places):
                del self.past[number]
                going = torch.stack([tensor.isfinite().flatten(1).all(1) for tensor in tensors(state)]).all(0)
                return merge(going.unsqueeze(1), state, initial)
        return initial

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


def _nested(flat: Iterator[Tensor], like: State) -> State:
    """The tensors in the nest of another state."""
    return map_state(lambda _: next(flat), like)
