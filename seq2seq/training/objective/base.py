"""What an objective is: how a network's answer to a batch becomes the loss whose gradient changes it."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.network.state import AutoregressiveModel
from seq2seq.training.criterion import CHUNK, Criterion, Loss
from seq2seq.training.trainable import Stateful, Trainable


@runtime_checkable
class Objective(Protocol):
    """A stateless callable, which is sent to worker processes.

    Called under autocast with torch's generator seeded from (seed, update, batch), so that a repeated update draws the
    same numbers. `update`: number of the update, from 1. The loss is a sum over the batch's real target tokens; the
    trainer divides it by the tokens of the whole update.
    """

    def __call__(self, network: Trainable, batch: Batch, criterion: Criterion, update: int, /) -> Loss: ...


@runtime_checkable
class Generating(Trainable, AutoregressiveModel, Protocol):
    """A network that is trained and can read what it predicts."""


def repeated(batch: Batch, times: int) -> Batch:
    """The rows of a batch `times` times below each other: all of them, and all of them again."""
    return Batch(*(tensor.repeat(times, *[1] * (tensor.dim() - 1)) for tensor in batch))


def chunks(features: Tensor, vocabulary: int) -> tuple[Tensor, ...]:
    """Features in chunks of so few rows that their logits fit in memory."""
    return torch.split(features, max(1, CHUNK // vocabulary))


def several_passes(network: Trainable, name: str) -> None:
    """Raises ConfigError for a network over running text, whose state moves on whenever it reads a batch."""
    if isinstance(network, Stateful):
        raise ConfigError(
            f"objective={name} reads a batch more than once, which running text does not allow: "
            "set reading=lines or objective=likelihood"
        )
