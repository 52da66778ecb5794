"""An update whose batches are shared out over the processes of a group."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seq2seq.data.loader.batch import Batch
from seq2seq.training.distributed.process_group import ProcessGroup
from seq2seq.training.gradient import Gradient, MicroBatch, Sums


class DistributedGradient:
    """Every process computes every `team.size`-th batch by `own`; the gradients are summed over the group.

    The batches, their seeds and the tokens they are divided by are those of one process, so that the weights are too,
    but for the order of the sum.
    """

    def __init__(self, own: Gradient, micro_batch: MicroBatch, group: ProcessGroup) -> None:
        self.own = own
        self.parameters = micro_batch.parameters
        self.group = group
        size = sum(parameter.numel() for parameter in self.parameters)
        self.flat = torch.zeros(size, device=micro_batch.model.output_weight.device)

    def __call__(self, batches: Sequence[Batch], seeds: Sequence[int], tokens: int, update: int) -> Sums:
        """A process without a batch adds nothing."""
        mine = slice(self.group.rank, None, self.group.world_size)
        if batches[mine]:
            sums = self.own(batches[mine], seeds[mine], tokens, update)
        else:
            sums = torch.zeros(5, dtype=torch.float64, device=self.flat.device)
        pieces = torch.split(self.flat, [parameter.numel() for parameter in self.parameters])
        for piece, parameter in zip(pieces, self.parameters, strict=True):
            if parameter.grad is None:
                piece.zero_()
            else:
                piece.copy_(parameter.grad.flatten())
            parameter.grad = piece.view_as(parameter)
        self.group.all_reduce_sum(self.flat)
        self.group.all_reduce_sum(sums)
        return sums

    def carried(self) -> list[list[Tensor]]:
        """What all processes carry."""
        return self.group.all_gather(self.own.carried())

    def close(self) -> None:
        self.own.close()
