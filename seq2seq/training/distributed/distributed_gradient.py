"""An update whose batches are shared out over the processes of a team."""

from collections.abc import Sequence

import torch
from torch import Tensor

from seq2seq.data.loader.batch import Batch
from seq2seq.training.distributed.process_group import Team
from seq2seq.training.gradient import Gradient, Part, Sums


class SharedOut:
    """Every process computes every `team.size`-th batch by `own`; the gradients are summed over the team.

    The batches, their seeds and the tokens they are divided by are those of one process, so that the weights are too,
    but for the order of the sum.
    """

    def __init__(self, own: Gradient, part: Part, team: Team) -> None:
        self.own = own
        self.parameters = part.parameters
        self.team = team
        size = sum(parameter.numel() for parameter in self.parameters)
        self.flat = torch.zeros(size, device=part.model.output_weight.device)

    def __call__(self, batches: Sequence[Batch], seeds: Sequence[int], tokens: int, update: int) -> Sums:
        """See Gradient. A process without a batch adds nothing."""
        mine = slice(self.team.number, None, self.team.size)
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
        self.team.add(self.flat)
        self.team.add(sums)
        return sums

    def carried(self) -> list[list[Tensor]]:
        """See Gradient: what all of the team carry."""
        return self.team.gathered(self.own.carried())

    def close(self) -> None:
        """See Gradient."""
        self.own.close()
