"""Warm-up, then decay with the square root of the update."""

import math

from seq2seq.training.schedule.base import Schedule, ScheduleState


class InverseSqrt(Schedule):
    """`min(update / warmup, sqrt(warmup / update))` (Vaswani et al. 2017, equation 3, scaled to a peak of 1).

    Knows no budget, so a run can be made longer without changing what it did so far.
    """

    def share(self, update: int, progress: float, state: ScheduleState) -> float:
        return min(self.warm(update), math.sqrt(max(self.warmup, 1) / update))
