"""Warm-up, then half a cosine down to the end of the budget."""

import math
from typing import ClassVar

from seq2seq.training.schedule.base import Schedule, ScheduleState, check_floor


class Cosine(Schedule):
    """`warm-up * (min_lr_ratio + (1 - min_lr_ratio) * (1 + cos(pi * progress)) / 2)`
    (Loshchilov & Hutter 2017, equation 5, one period).

    A longer budget given to a finished run lifts the rate again: progress is a share of the budget.
    """

    needs_budget: ClassVar[bool] = True

    def __init__(self, warmup: int, min_lr_ratio: float) -> None:
        super().__init__(warmup)
        self.min_lr_ratio = check_floor(min_lr_ratio)

    def share(self, update: int, progress: float, state: ScheduleState) -> float:
        return self.warm(update) * (
            self.min_lr_ratio + (1 - self.min_lr_ratio) * (1 + math.cos(math.pi * progress)) / 2
        )
