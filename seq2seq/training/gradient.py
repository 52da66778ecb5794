"""The gradient of an update: some batches forward and backward, in this process or shared out over several."""

import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn import Parameter

from seq2seq.data.loader.batch import Batch
from seq2seq.device import autocast, is_out_of_memory, release_memory
from seq2seq.errors import TrainingError
from seq2seq.training.criterion import Criterion
from seq2seq.training.objective.base import Objective
from seq2seq.training.trainable import Stateful, Trainable

Sums = Float64[Tensor, "5"]  # nll, smoothed loss, correct tokens, splits for lack of memory, squared norms


class MicroBatch:
    """One batch's share of an update: its gradient, left in the parameters of `model`, which have none before.

    A batch that memory does not hold is cut into halves until it does, and from then on every batch as large as that
    one: the tokens of an update stay the same. With `noise`, the squared norm of the batch's own mean gradient is
    measured too.
    """

    def __init__(
        self, model: Trainable, objective: Objective, criterion: Criterion, precision: torch.dtype, noise: bool = False
    ) -> None:
        self.model = model
        self.objective = objective
        self.criterion = criterion
        self.precision = precision
        self.noise = noise
        self.room = math.inf  # places of the largest batch that memory is known to hold, or not known not to hold

    @property
    def parameters(self) -> list[Parameter]:
        """Those that are trained."""
        return [parameter for _, parameter in self.model.named_parameters() if parameter.requires_grad]

    def __call__(self, batch: Batch, seed: int, tokens: int, update: int) -> Sums:
        """What the batch adds to the update's sums; the gradient is divided by the update's `tokens`.

        Raises TrainingError when memory does not hold a single row.
        """
        self.model.train(True)
        while True:
            pieces = split(batch, self.room)
            torch.manual_seed(seed)
            try:
                losses = [self._backward(piece, tokens, update) for piece in pieces]
                break
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            self._split_batches(pieces)  # out of the handler, whose traceback keeps tensors alive
        ends = losses[0].new_tensor([len(pieces) - 1, 0.0])
        if self.noise:
            ends[1] = self._squared_norm(tokens / max(1, int(batch.target_mask[:, 1:].sum())))
        return torch.cat((torch.stack(losses).sum(0), ends))

    def _backward(self, batch: Batch, tokens: int, update: int) -> Float64[Tensor, "3"]:
        device = self.model.output_weight.device
        batch = to_device(batch, device)
        with autocast(self.precision, device):
            loss = self.objective(self.model, batch, self.criterion, update)
        torch.autograd.backward(loss.smoothed / tokens)
        return torch.stack((loss.nll.double(), loss.smoothed.detach().double(), loss.correct.double()))

    def _split_batches(self, pieces: Sequence[Batch]) -> None:
        """Forget what was computed, and allow half of the places that were too many."""
        for parameter in self.parameters:
            parameter.grad = None
        release_memory()
        largest = max(pieces, key=positions)
        if len(largest.target) == 1 or isinstance(self.model, Stateful):
            raise TrainingError(
                f"memory does not hold a batch of {len(largest.target)} rows, {largest.source.shape[1]} source and "
                f"{largest.target.shape[1]} target ids long: lower loader.max_tokens or prepare.max_length (of running "
                "text, reading.streams or reading.bptt_length), the model's sizes or trainer.cores"
            )
        self.room = positions(largest) / 2

    def _squared_norm(self, scale: float) -> float:
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        return float(torch.nn.utils.get_total_norm(gradients).double() * scale) ** 2


@runtime_checkable
class Gradient(Protocol):
    """Leaves the summed gradient of an update's batches in the parameters."""

    def __call__(self, batches: Sequence[Batch], seeds: Sequence[int], tokens: int, update: int) -> Sums:
        """The sums over all batches."""
        ...

    def carried(self) -> list[list[Tensor]]:
        """What a model over running text carries to the next update, batch by batch; nothing for others."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class SerialGradient:
    """One batch after the other in this process."""

    def __init__(self, micro_batch: MicroBatch) -> None:
        self.micro_batch = micro_batch

    def __call__(self, batches: Sequence[Batch], seeds: Sequence[int], tokens: int, update: int) -> Sums:
        parameters = self.micro_batch.parameters
        total: list[Tensor] = []
        sums = []
        for batch, seed in zip(batches, seeds, strict=True):
            sums.append(self.micro_batch(batch, seed, tokens, update))
            gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
            for parameter in parameters:
                parameter.grad = None
            if total:
                torch._foreach_add_(total, gradients)
            else:
                total = gradients
        for parameter, gradient in zip(parameters, total, strict=True):
            parameter.grad = gradient
        return torch.stack(sums).sum(0)

    def carried(self) -> list[list[Tensor]]:
        return self.micro_batch.model.carried() if isinstance(self.micro_batch.model, Stateful) else []

    def close(self) -> None:
        """Nothing to free."""


def positions(batch: Batch) -> int:
    """Source and target ids of a batch, padding included: what its memory grows with."""
    return batch.source.numel() + batch.target.numel()


def split(batch: Batch, max_positions: float) -> list[Batch]:
    """The batch in pieces of at most `room` places, as far as whole rows allow."""
    rows = len(batch.target)
    if positions(batch) <= max_positions or rows == 1:
        return [batch]
    halves = (slice(None, (rows + 1) // 2), slice((rows + 1) // 2, None))
    return [piece for half in halves for piece in split(Batch(*(tensor[half] for tensor in batch)), max_positions)]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`."""
    return Batch(*(tensor.to(device, non_blocking=True) for tensor in batch))
