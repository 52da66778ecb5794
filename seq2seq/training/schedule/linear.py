"""Warm-up, then a straight line down to the end of the budget."""

from typing import ClassVar

from seq2seq.training.schedule.base import Schedule, ScheduleState, check_floor


class Linear(Schedule):
    """`warm-up * (1 - (1 - floor) * progress)`.

    A longer budget given to a finished run lifts the rate again: progress is a share of the budget.
    """

    needs_budget: ClassVar[bool] = True

    def __init__(self, warmup: int, floor: float) -> None:
        super().__init__(warmup)
        self.floor = check_floor(floor)

    def share(self, update: int, progress: float, state: ScheduleState) -> float:
        return self.warm(update) * (1 - (1 - self.floor) * progress)
