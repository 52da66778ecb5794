"""One update: some batches forward and backward, one clipped step of the optimiser, one of the moving average."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count, takewhile

import torch
from torch import Tensor
from torch.nn import Parameter

from seq2seq.data.loader.batch import Batch
from seq2seq.training.gradient import Gradient
from seq2seq.training.optimizer import set_learning_rate
from seq2seq.training.run_state import UpdateSums
from seq2seq.training.trainable import Stateful, Trainable

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
        """Adds the current parameters after update number `update` (the first is 1)."""
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
    """Inside the block, the parameters hold `weights`; afterwards their own values."""
    own = {name: one.data for name, one in parameters.items()}
    try:
        for name, one in parameters.items():
            one.data = weights[name].to(one.data)
        yield
    finally:
        for name, one in parameters.items():
            one.data = own[name]


class Updater:
    """Changes a model by one update at a time.

    The loss is summed over all batches of the update and divided once by their real target tokens, so that it does not
    matter how they were cut. Dropout draws from (seed, update, batch of the update), so that no random state needs to
    be saved.
    """

    def __init__(
        self,
        model: Trainable,
        optimizer: torch.optim.Optimizer,
        gradient: Gradient,
        average: ExponentialAverage | None,
        clip: float | None,
        seed: int,
    ) -> None:
        self.optimizer = optimizer
        self.gradient = gradient
        self.average = average
        self.clip = clip
        self.seed = seed
        self.parameters = dict(model.named_parameters())
        self.carrying = model if isinstance(model, Stateful) else None

    def __call__(self, batches: Sequence[Batch], update: int, learning_rate: float) -> UpdateSums:
        """Update number `update` (the first is 1). Weights do not change if the gradient is not finite."""
        counts = [int(batch.target_mask[:, 1:].sum()) for batch in batches]
        tokens = sum(counts)
        seeds = [_seed(self.seed, update, index) for index in range(len(batches))]
        sums = self.gradient(batches, seeds, tokens, update)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.clip or float("inf"))
        plain, smoothed, correct, cuts, squares, length = torch.stack((*sums, norm.double())).tolist()
        skipped = not math.isfinite(length)  # known only here: the one wait for a GPU
        if not skipped:
            set_learning_rate(self.optimizer, learning_rate)
            self.optimizer.step()
            if self.average is not None:
                self.average.add(update)
        self.optimizer.zero_grad()
        masks = [mask for batch in batches for mask in (batch.source_mask, batch.target_mask)]
        real, places = sum(int(mask.sum()) for mask in masks), sum(mask.numel() for mask in masks)
        signal, noise = gradient_noise(squares / len(batches), length**2, counts) if squares else (0.0, 0.0)
        return UpdateSums(
            plain, smoothed, int(correct), length, tokens, real, places, skipped, int(cuts), signal, noise
        )

    def dry_run(self, batch: Batch, count: int) -> int:
        """Computes and drops the gradient of `count` copies of a batch, to test memory; returns the splits it took."""
        tokens = count * int(batch.target_mask[:, 1:].sum())
        sums = self.gradient([batch] * count, [_seed(self.seed, 0, index) for index in range(count)], tokens, 0)
        self.optimizer.zero_grad()
        return int(sums[3])

    def tensors(self) -> dict[str, Tensor]:
        """All that the next update depends on: weights, moments, the moving average, a carried state."""
        result: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            result[f"weights/{name}"] = parameter.detach()
            for key, value in self.optimizer.state[parameter].items():
                result[f"optimizer/{key}/{name}"] = value
        if self.average is not None:
            result |= {f"average/{name}": tensor for name, tensor in self.average.weights.items()}
        for number, batch in enumerate(sorted(self.gradient.carried(), key=lambda one: int(one[0][0]))):
            result |= {f"carried/{number}/{name}": tensor for name, tensor in enumerate(batch)}
        return result

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Become what `tensors` was taken from. Raises KeyError when that was another model."""
        for name, parameter in self.parameters.items():
            parameter.copy_(tensors[f"weights/{name}"])
            if self.average is not None:
                # a run that turns its average on later starts it from the weights of that moment
                self.average.weights[name].copy_(tensors.get(f"average/{name}", parameter))
        for name, value in tensors.items():
            if name.startswith("optimizer/"):
                _, key, owner = name.split("/", 2)
                parameter = self.parameters[owner]
                self.optimizer.state[parameter][key] = value.to(parameter.device)
        if self.carrying is not None:
            carried: list[list[Tensor]] = []
            while (first := f"carried/{len(carried)}/0") in tensors:
                names = (f"{first[:-1]}{number}" for number in count())
                carried.append([tensors[name] for name in takewhile(tensors.__contains__, names)])
            self.carrying.restore(carried)


def gradient_noise(small: float, large: float, tokens: Sequence[int]) -> tuple[float, float]:
    """Squared norm of the true gradient and variance of one token's (McCandlish et al. 2018, appendix A.1).

    From `small`, the mean squared norm of the batches' own mean gradients, and `large`, that of the update's. Both are
    unbiased for equally distributed batches of `tokens` tokens, and may be negative; their quotient, each averaged over
    many updates, is the number of tokens for a useful update.
    """
    if len(tokens) < 2 or min(tokens) < 1:
        return 0.0, 0.0
    whole = 1 / sum(tokens)
    noise = (small - large) / (sum(1 / count for count in tokens) / len(tokens) - whole)
    return large - noise * whole, noise


def _seed(seed: int, update: int, index: int) -> int:
    """A seed for every batch of every update; the seeds of neighbours are unrelated."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {update} {index}".encode(), digest_size=8).digest(), "big") >> 1
