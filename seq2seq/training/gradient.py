"""The gradient of an update: some batches forward and backward, in this process or shared out over several."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn import Parameter

from seq2seq.data.batch import Batch
from seq2seq.device import autocast
from seq2seq.training.criterion import Criterion


@runtime_checkable
class Network(Protocol):
    """What training needs of a model: features of the real target tokens, and the output layer over them."""

    @property
    def training(self) -> bool:
        """Whether dropout is on."""
        ...

    @property
    def output_weight(self) -> Tensor:
        """`[vocabulary, width]`."""
        ...

    @property
    def output_bias(self) -> Tensor:
        """`[vocabulary]`."""
        ...

    def __call__(self, batch: Batch, /) -> Tensor:
        """Features `[tokens, width]`, row by row of `batch.target[:, 1:]`."""
        ...

    def train(self, mode: bool) -> object:
        """Dropout on or off."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Each parameter once, under its first name."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """All weights under all names."""
        ...


@runtime_checkable
class Carrying(Protocol):
    """A network that remembers something from update to update; see carried.py."""

    def carried(self) -> list[list[Tensor]]:
        """What it remembers of each batch of an update, first of all the places where its rows ended."""
        ...

    def restore(self, carried: Sequence[Sequence[Tensor]], /) -> None:
        """Remember that."""
        ...

    def take(self, worker: int, count: int, /) -> None:
        """Remember only what concerns the batches of one process of `count`."""
        ...


class Part:
    """One batch's share of an update: adds to the gradients of `model`, dropout drawn from the seed it is given."""

    def __init__(self, model: Network, criterion: Criterion, precision: torch.dtype) -> None:
        self.model = model
        self.criterion = criterion
        self.precision = precision

    def __call__(self, batch: Batch, seed: int, tokens: int) -> Float64[Tensor, "3"]:
        """Sums of plain loss, smoothed loss and right tokens; the gradient is divided by the update's `tokens`."""
        device = self.model.output_weight.device
        torch.manual_seed(seed)
        self.model.train(True)
        batch = moved(batch, device)
        with autocast(self.precision, device):
            features = self.model(batch)
            gold = batch.target[:, 1:][batch.target_mask[:, 1:]]
            loss = self.criterion(features, self.model.output_weight, self.model.output_bias, gold)
        torch.autograd.backward(loss.smoothed / tokens)
        return torch.stack((loss.plain.double(), loss.smoothed.detach().double(), loss.correct.double()))


@runtime_checkable
class Gradient(Protocol):
    """Leaves the summed gradient of an update's batches in the parameters."""

    def __call__(self, batches: Sequence[Batch], seeds: Sequence[int], tokens: int) -> Float64[Tensor, "3"]:
        """Sums of plain loss, smoothed loss and right tokens over all batches."""
        ...

    def carried(self) -> list[list[Tensor]]:
        """What a model over running text carries to the next update, batch by batch; nothing for others."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Alone:
    """One batch after the other in this process."""

    def __init__(self, part: Part) -> None:
        self.part = part

    def __call__(self, batches: Sequence[Batch], seeds: Sequence[int], tokens: int) -> Float64[Tensor, "3"]:
        """See Gradient."""
        sums = [self.part(batch, seed, tokens) for batch, seed in zip(batches, seeds, strict=True)]
        return torch.stack(sums).sum(0)

    def carried(self) -> list[list[Tensor]]:
        """See Gradient."""
        return self.part.model.carried() if isinstance(self.part.model, Carrying) else []

    def close(self) -> None:
        """Nothing to free."""


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`."""
    return Batch(*(tensor.to(device, non_blocking=True) for tensor in batch))
