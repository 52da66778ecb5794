"""The requirements of training on a network, whatever its task."""

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Protocol, runtime_checkable

from torch import Tensor, nn
from torch.nn import Parameter

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError


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


def freeze(model: nn.Module, names: Sequence[str]) -> list[str]:
    """Freezes the named parameters; returns messages for the user.

    A tied table is one parameter, frozen under all its names. Raises ConfigError for an unknown name, or if nothing is
    left to train.
    """
    if not names:
        return []
    every = dict(model.named_parameters(remove_duplicate=False))
    for name in matching_names(names, every, "freeze"):
        every[name].requires_grad_(False)
    parameters = list(model.parameters())
    trained = sum(one.numel() for one in parameters if one.requires_grad)
    if not trained:
        raise ConfigError(f"freeze: {', '.join(names)} leave no parameter to train: name fewer")
    total = sum(one.numel() for one in parameters)
    tied = [called for first, called in names_of(model).items() if len(called) > 1 and not every[first].requires_grad]
    return [
        f"freeze: {total - trained:,} parameters stay as they are, {trained:,} are trained",
        *(f"freeze: {' and '.join(called)} are one table, so all of them stay" for called in tied),
    ]


def matching_names(patterns: Sequence[str], names: Collection[str], where: str) -> list[str]:
    """Those of `names` that a pattern means: itself, what it begins up to a dot, or what it fits with *, ? and [].

        encoder                      encoder.layers.0.recurrent.cell.weight, ...
        *.bias                       encoder.layers.0.norm.bias, ...

    Raises ConfigError for a pattern that means none; `where` is the key that holds the patterns.
    """
    result: set[str] = set()
    for pattern in patterns:
        matches = {one for one in names if one == pattern or one.startswith(f"{pattern}.") or fnmatchcase(one, pattern)}
        if not matches:
            beginnings = sorted({one.partition(".")[0] for one in names})
            near = get_close_matches(pattern, [*beginnings, *names], n=1)
            raise ConfigError(
                f"{where}: no parameter is called {pattern!r}{f', did you mean {near[0]}?' if near else ';'} there are "
                f"{', '.join(beginnings)}, and their parts, such as {max(names, key=len)}"
            )
        result |= matches
    return [one for one in names if one in result]


def names_of(model: nn.Module) -> dict[str, list[str]]:
    """Every parameter's first name, under which optimisers and checkpoints know it, and all its names: a tied table has
    several."""
    first = {one: name for name, one in model.named_parameters()}
    result: dict[str, list[str]] = {name: [] for name in first.values()}
    for name, one in model.named_parameters(remove_duplicate=False):
        result[first[one]].append(name)
    return result


def first_names(model: nn.Module, patterns: Sequence[str], where: str) -> list[str]:
    """The first names of all parameters that the patterns mean by any of theirs. Raises ConfigError."""
    called = names_of(model)
    matches = set(matching_names(patterns, [name for names in called.values() for name in names], where))
    return [first for first, names in called.items() if matches.intersection(names)]
