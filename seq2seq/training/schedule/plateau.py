"""Warm-up, then constant, and lower each time that validation stops improving."""

from seq2seq.errors import ConfigError
from seq2seq.training.schedule.base import Schedule, ScheduleState, check_floor


class Plateau(Schedule):
    """`warm-up * factor ** times`: `times` counts the plateaus of `patience` validations without a better score.

    The share never falls below `min_lr_ratio`. Raises ConfigError when `factor` is not between 0 and 1 or `patience`
    under 1.
    """

    def __init__(self, warmup: int, factor: float, patience: int, min_lr_ratio: float) -> None:
        super().__init__(warmup)
        if not 0 < factor < 1:
            raise ConfigError(f"schedule.factor: expected a number between 0 and 1, got {factor}")
        if patience < 1:
            raise ConfigError(f"schedule.patience: expected a number of validations, 1 or more, got {patience}")
        self.factor = factor
        self.patience = patience
        self.min_lr_ratio = check_floor(min_lr_ratio)

    def share(self, update: int, progress: float, state: ScheduleState) -> float:
        return self.warm(update) * max(self.min_lr_ratio, state["share"])

    def start(self) -> ScheduleState:
        """The full peak."""
        return {"share": 1.0, "waited": 0.0}

    def observe(self, better: bool, state: ScheduleState) -> ScheduleState:
        """Lower the share when this was the last validation of `patience`."""
        if better:
            return {**state, "waited": 0.0}
        waited = state["waited"] + 1
        if waited < self.patience:
            return {**state, "waited": waited}
        return {"share": state["share"] * self.factor, "waited": 0.0}
