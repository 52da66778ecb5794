"""What an objective is: how a network's answer to a batch becomes the loss whose gradient changes it."""

from typing import Protocol, runtime_checkable

from seq2seq.data.batch import Batch
from seq2seq.training.criterion import Criterion, Loss
from seq2seq.training.network import Network


@runtime_checkable
class Objective(Protocol):
    """A callable without memory, which is sent to other processes as it is.

    Called under autocast with torch's generator freshly seeded from (seed, update, batch), so that whatever it draws is
    drawn again when the update is repeated. `update` is the number of the update, the first being 1. The loss is a sum
    over the batch's real target tokens; the trainer divides by those of the whole update.
    """

    def __call__(self, network: Network, batch: Batch, criterion: Criterion, update: int, /) -> Loss: ...
