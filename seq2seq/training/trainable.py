"""What training needs of a network, whatever it is for."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.nn import Parameter

from seq2seq.data.loader.batch import Batch


@runtime_checkable
class Trainable(Protocol):
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
class Stateful(Protocol):
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
