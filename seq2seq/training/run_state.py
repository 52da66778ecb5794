"""The state of a run besides its tensors, as in its checkpoints."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from seq2seq.training.schedule.base import ScheduleState


class UpdateSums(NamedTuple):
    """What one update did: sums over its target tokens in nats, the gradient's norm, and places in its batches."""

    plain: float
    smoothed: float
    correct: int
    norm: float
    tokens: int
    real: int  # source and target ids that are not padding
    places: int  # source and target ids, padding included
    skipped: bool
    cuts: int  # times that a batch was split for lack of memory
    signal: float  # squared norm of the true gradient, estimated; 0 where it was not
    noise: float  # variance of one token's gradient, estimated; 0 where it was not


@dataclass
class RunningStats:
    """Sums since the last record of the log."""

    plain: float = 0.0
    smoothed: float = 0.0
    correct: int = 0
    norm: float = 0.0
    tokens: int = 0
    real: int = 0
    places: int = 0
    updates: int = 0
    skipped: int = 0
    cuts: int = 0
    signal: float = 0.0
    noise: float = 0.0
    seconds: float = 0.0  # time, which differs from run to run
    waiting: float = 0.0  # of these, for data

    def add(self, sums: UpdateSums, seconds: float, waiting: float) -> None:
        """Take in one update that lasted `seconds`, `waiting` of them for its data; of a skipped one only that it was,
        and its places."""
        self.real += sums.real
        self.places += sums.places
        self.seconds += seconds
        self.waiting += waiting
        self.cuts += sums.cuts
        if sums.skipped:
            self.skipped += 1
            return
        self.updates += 1
        self.plain += sums.plain
        self.smoothed += sums.smoothed
        self.correct += sums.correct
        self.norm += sums.norm
        self.tokens += sums.tokens
        self.signal += sums.signal
        self.noise += sums.noise

    def summary(self) -> dict[str, float | int]:
        """Means over the interval: losses in nats per target token.

        Padding is a share of all positions, waiting for data a share of the time; `gradient_noise`, in target tokens,
        is there if it was measured.
        """
        tokens, updates = max(1, self.tokens), max(1, self.updates)
        return {
            "loss": self.plain / tokens,
            "smoothed_loss": self.smoothed / tokens,
            "accuracy": self.correct / tokens,
            "gradient_norm": self.norm / updates,
            "padding": 1 - self.real / max(1, self.places),
            "skipped": self.skipped,
            "cuts": self.cuts,
            **({"gradient_noise": self.noise / self.signal} if self.noise and self.signal else {}),
            "tokens_per_second": self.tokens / self.seconds if self.seconds else 0.0,
            "waiting": self.waiting / self.seconds if self.seconds else 0.0,
        }


class Best(NamedTuple):
    """A validation that is among the best so far; its weights are kept under its update's number."""

    update: int
    scores: Mapping[str, float]


@dataclass
class State:
    """The position of a run between two updates. `epoch` and `batch`: the next batch; `update`: the last update."""

    epoch: int = 0
    batch: int = 0
    update: int = 0
    seconds: float = 0.0  # of training and validation, over all resumes
    tokens: int = 0  # target tokens seen
    skipped: int = 0  # updates skipped in a row
    validated: int = 0  # update of the last validation
    waited: int = 0  # validations since the last better score
    constant: int = 0  # validations in a row that trainer.metric found equal
    judged: float | None = None  # what it found in the last one
    shipped: Mapping[str, float] | float | None = None  # scores of what the folder `model` holds; older versions: one
    finished: bool = False  # the end of the run has been dealt with
    extension: str = ""  # what trainer.updates last added to a finished run, such as +5000
    limit: int = 0  # the number of updates that made
    records: int = 0  # lines of log.jsonl
    best: list[Best] = field(default_factory=list)  # best first
    recent: list[Best] = field(default_factory=list)  # the last ones, where these are averaged
    schedule: ScheduleState = field(default_factory=dict)
    interval: RunningStats = field(default_factory=RunningStats)

    @property
    def scores(self) -> Mapping[str, float]:
        """Of the best validation; nothing before the first."""
        return self.best[0].scores if self.best else {}

    @property
    def kept(self) -> set[int]:
        """The updates whose weights are kept."""
        return {one.update for one in (*self.best, *self.recent)}

    @property
    def spent(self) -> Mapping[str, float | int]:
        """The cost of the current weights: updates, target tokens, seconds."""
        return {"updates": self.update, "tokens": self.tokens, "seconds": self.seconds}

    def plain(self) -> dict[str, object]:
        """As JSON can hold it."""
        lists = {"best": self.best, "recent": self.recent}
        return {**asdict(self), **{name: [one._asdict() for one in kept] for name, kept in lists.items()}}

    def become(self, other: "State") -> None:
        """Take all values of another state."""
        self.__dict__.update(other.__dict__)

    @classmethod
    def read(cls, plain: Mapping[str, object]) -> "State":
        """What `plain` was made from. Raises TypeError or KeyError when it is something else."""
        values = dict(plain)
        for name in ("best", "recent"):
            kept = values.get(name, [])  # older versions kept the judged score too
            values[name] = [Best(one["update"], one["scores"]) for one in kept]  # type: ignore[attr-defined]
        values["interval"] = RunningStats(**values["interval"])  # type: ignore[arg-type]
        return cls(**values)  # type: ignore[arg-type]
