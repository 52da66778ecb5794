"""Averages of weights: the exponential moving average along the way, and the mean of some of them at the end."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn import Parameter

Weights = Mapping[str, Tensor]


class ExponentialAverage:
    """`average <- decay average + (1 - decay) weights` after every update.

    The decay warms up, `min(decay, (1 + update) / (10 + update))`, so that the random start is soon forgotten.
    """

    def __init__(self, decay: float, parameters: Mapping[str, Parameter]) -> None:
        self.decay = decay
        self.parameters = list(parameters.values())
        self.weights = {name: one.detach().clone() for name, one in parameters.items()}

    @torch.no_grad()
    def add(self, update: int) -> None:
        """Take the parameters as they are after update number `update` (the first is 1) in."""
        decay = min(self.decay, (1 + update) / (10 + update))
        torch._foreach_lerp_(list(self.weights.values()), [one.detach() for one in self.parameters], 1 - decay)


def mean_weights(sets: Iterable[Weights]) -> dict[str, Tensor]:
    """The mean of several sets of weights, one set in memory at a time, summed in fp64."""
    total: dict[str, Tensor] = {}
    count = 0
    for weights in sets:
        count += 1
        for name, tensor in weights.items():
            total[name] = tensor.double() if name not in total else total[name].add_(tensor)
    return {name: (tensor / count).float() for name, tensor in total.items()}


@contextmanager
def swapped_weights(parameters: Mapping[str, Parameter], weights: Weights) -> Iterator[None]:
    """Lets the parameters hold `weights` inside the block and their own values again after it."""
    own = {name: one.data for name, one in parameters.items()}
    try:
        for name, one in parameters.items():
            one.data = weights[name].to(one.data)
        yield
    finally:
        for name, one in parameters.items():
            one.data = own[name]
