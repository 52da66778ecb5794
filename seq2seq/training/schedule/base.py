"""Learning rate schedules: pure functions of the progress of a run."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from seq2seq.errors import ConfigError

ScheduleState = Mapping[str, float]


class Schedule(ABC):
    """The share of the peak learning rate for an update, in [0, 1].

    It rises linearly over the first `warmup` updates, then follows the member. A member's state (only `plateau` has
    one) is passed in, returned, and stored in checkpoints. Raises ConfigError if `warmup` is negative.
    """

    needs_budget: ClassVar[bool] = False  # true where the share follows the budget that is used up

    def __init__(self, warmup: int) -> None:
        if warmup < 0:
            raise ConfigError(f"schedule.warmup: expected a number of updates, 0 or more, got {warmup}")
        self.warmup = warmup

    @abstractmethod
    def share(self, update: int, progress: float, state: ScheduleState) -> float:
        """For update number `update` (the first is 1), when `progress` in [0, 1] of the budget is used up."""

    def start(self) -> ScheduleState:
        """The state before the first validation."""
        return {}

    def observe(self, better: bool, state: ScheduleState) -> ScheduleState:
        """The state after a validation; `better`: no earlier one was as good."""
        return state

    def warm(self, update: int) -> float:
        """The straight line of the warm-up: 1 from update `warmup` on."""
        return min(1.0, update / self.warmup) if self.warmup else 1.0


def check_floor(floor: float) -> float:
    """`floor`, where it is a share. Raises ConfigError otherwise."""
    if not 0 <= floor <= 1:
        raise ConfigError(f"schedule.min_lr_ratio: expected a share of the peak from 0 to 1, got {floor}")
    return floor
