"""Warm-up, then a straight line down to the end of the budget."""

from typing import ClassVar

from seq2seq.training.schedule.base import Schedule, ScheduleState, check_floor


class Linear(Schedule):
    """`warm-up * (1 - (1 - min_lr_ratio) * progress)`.

    A longer budget given to a finished run lifts the rate again: progress is a share of the budget.
    """

    needs_budget: ClassVar[bool] = True

    def __init__(self, warmup: int, min_lr_ratio: float) -> None:
        super().__init__(warmup)
        self.min_lr_ratio = check_floor(min_lr_ratio)

    def share(self, update: int, progress: float, state: ScheduleState) -> float:
        return self.warm(update) * (1 - (1 - self.min_lr_ratio) * progress)
