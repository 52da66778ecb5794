"""What a training run does and when it ends: the node `trainer` of the configuration, checked."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from seq2seq import device
from seq2seq.errors import ConfigError, TrainingError

BUDGETS = ("updates", "epochs", "hours")
AUTO = "auto"  # the metric that a command chooses when a run begins
TIES = ("chrf", "loss")  # what decides between validations that trainer.metric finds equal
LOWER_IS_BETTER = ("loss", "perplexity", "bits_per_character")  # endings of such scores' names


@dataclass(frozen=True)
class Settings:
    """See the comments of conf/trainer/default.yaml.

    Raises ConfigError, naming the key, for illegal numbers and for a precision that the hardware lacks.
    """

    updates: int | str | None
    epochs: float | None
    hours: float | None
    patience: int | None
    metric: str
    validate_every: int
    report_every: int
    checkpoint_minutes: float
    accumulation: int
    label_smoothing: float
    clip_norm: float | None
    ema_decay: float | None
    average_checkpoints: int
    average_of: Literal["best", "last"]
    precision: Literal["auto", "bf16", "fp32"]
    cores: int | None
    log_gradient_noise: bool
    timeout: float
    seed: int
    allow_changed: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in (
            *BUDGETS,
            "patience",
            "validate_every",
            "report_every",
            "accumulation",
            "clip_norm",
            "cores",
            "timeout",
        ):
            value = getattr(self, name)
            if isinstance(value, str):
                value = _added(value)
            if value is not None and value <= 0:
                raise ConfigError(f"trainer.{name}: expected a positive number, got {value}")
        for name in ("checkpoint_minutes", "average_checkpoints", "seed"):
            if getattr(self, name) < 0:
                raise ConfigError(f"trainer.{name}: expected 0 or more, got {getattr(self, name)}")
        device.precision(self.precision, key="trainer.precision")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ConfigError(f"trainer.ema_decay: expected a decay between 0 and 1, or null, got {self.ema_decay}")
        if self.patience is None and not self.has_budget:
            raise ConfigError(
                "trainer: such a run would never end: set trainer.updates, trainer.epochs, trainer.hours "
                "or trainer.patience"
            )

    @property
    def has_budget(self) -> bool:
        """Whether anything but early stopping ends the run."""
        return any(getattr(self, name) is not None for name in BUDGETS)

    def used(self, updates: int, epochs: float, seconds: float) -> dict[str, float]:
        """The share of each budget that is used up: `{"updates": 0.25}` after 250 of 1,000 updates."""
        spent = {"updates": updates, "epochs": epochs, "hours": seconds / 3600}
        return {name: spent[name] / limit for name in BUDGETS if (limit := getattr(self, name)) is not None}

    def judge(self, scores: Mapping[str, float]) -> float:
        """The score by which validations are compared, with its sign set so that higher is better.

        Raises TrainingError if validation gives no such score.
        """
        if self.metric not in scores:
            raise TrainingError(f"trainer.metric: expected one of {', '.join(sorted(scores))}, got {self.metric}")
        return _turned(self.metric, scores)

    def better(self, scores: Mapping[str, float], than: Mapping[str, float] | float) -> bool:
        """Whether a validation is better than another: by trainer.metric; of equals by chrF, then by loss.

        A score that stays the same so decides nothing. `than` is a number in checkpoints of older versions: what
        `judge` made of it. Raises TrainingError as `judge` does.
        """
        score = self.judge(scores)
        if not isinstance(than, Mapping):
            return score > than
        names = [name for name in dict.fromkeys((self.metric, *TIES)) if name in scores and name in than]
        return [_turned(name, scores) for name in names] > [_turned(name, than) for name in names]


def _turned(name: str, scores: Mapping[str, float]) -> float:
    score = -scores[name] if name.endswith(LOWER_IS_BETTER) else scores[name]
    return float("-inf") if math.isnan(score) else score


def _added(updates: str) -> int:
    """The number of a budget such as `+5000`."""
    if not re.fullmatch(r"\+\d+", updates):
        raise ConfigError(f"trainer.updates: expected a number, or +NUMBER for a finished run, got {updates}")
    return int(updates)
