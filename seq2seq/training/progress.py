"""How the run is going, on stderr: a moving bar in a terminal, plain lines elsewhere."""

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


class Reporter:
    """Shows loss (nats per target token), accuracy, gradient norm, speed (target tokens per second), the
    share of places that are padding, the share of time that is spent waiting for data, and the time left."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=True)
        self._bar: Progress | None = None

    def __enter__(self) -> "Reporter":
        if sys.stderr.isatty():
            columns = (BarColumn(20), TextColumn("{task.percentage:3.0f} %"), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=self.console, auto_refresh=False)
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def say(self, text: str) -> None:
        """A line that stays."""
        self.console.print(text, markup=False, highlight=False)

    def training(self, update: int, progress: float, left: float | None, values: Mapping[str, float | int]) -> None:
        """News of the last interval; `left` is the time in seconds that the budget leaves, where it can be known."""
        place = f"epoch {values['epoch']:.1f}  update {update:,}"
        if left is not None:
            place += f"  left {duration(left)}"
        learnt = f"loss {values['loss']:.3f}  accuracy {values['accuracy']:.1%}  gradient {values['gradient_norm']:.2f}"
        speed = f"{values['tokens_per_second']:,.0f} tok/s"
        waste = f"padding {values['padding']:.1%}  waiting {values['waiting']:.1%}"
        if self._bar is None:
            self.say(f"{place}  {learnt}  {speed}  {waste}")
        else:
            text = f"{place}  {speed}\n{learnt}  {waste}"
            self._bar.update(self._task, completed=progress, description=text, refresh=True)

    def validation(self, update: int, scores: Mapping[str, float], better: bool) -> None:
        """The scores of a validation."""
        numbers = "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
        self.say(f"validation after update {update:,}: {numbers}" + ("  (best so far)" if better else ""))


def duration(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
