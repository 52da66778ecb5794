"""A training run from its first update to the model that ships; the same call again goes on where it was left."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.device import precision
from seq2seq.errors import ConfigError, TrainingError
from seq2seq.training.average import ExponentialAverage
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.claim import claimed
from seq2seq.training.configuration import check_unchanged, write_configuration
from seq2seq.training.criterion import Criterion
from seq2seq.training.gradient import Alone, Part
from seq2seq.training.interrupt import Interrupted, Interrupts
from seq2seq.training.log import Log
from seq2seq.training.network import Network
from seq2seq.training.objective.base import Objective
from seq2seq.training.optimizer import OptimizerSettings
from seq2seq.training.progress import Reporter, duration
from seq2seq.training.schedule.base import Schedule
from seq2seq.training.selection import Selection
from seq2seq.training.settings import Settings
from seq2seq.training.state import Interval, State
from seq2seq.training.update import Updater
from seq2seq.training.workers import shared_out

SKIPPED_IN_A_ROW = 20  # updates whose gradient was not finite, before the run is given up


@runtime_checkable
class Batches(Protocol):
    """The training data: epochs of batches whose order is a pure function of the epoch."""

    def batches(self, epoch: int, start: int) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on."""
        ...

    def batch_count(self, epoch: int) -> int:
        """How many batches the epoch has."""
        ...


class Outcome(NamedTuple):
    """How a call of `train` ended; `exit_code` is 0, or 130 after Ctrl-C and 143 after SIGTERM."""

    update: int
    scores: Mapping[str, float]  # of the best validation so far
    reason: str
    exit_code: int


class Trainer:
    """Trains `model` into the run folder `folder`: config.yaml, log.jsonl, checkpoints/, model/.

    `validate()` gives the scores of the model as it stands, `trainer.metric` among them; `export(folder, weights,
    scores)` writes a model folder. `configuration` is the whole resolved configuration; a run goes on only under the
    one it began with (see configuration.py).
    Killed at any moment and called again, the run ends with the same weights, bit for bit on one CPU machine, and the
    same log but for times (unless its budget is in hours).
    """

    def __init__(
        self,
        settings: Settings,
        model: Network,
        objective: Objective,
        batches: Batches,
        optimizer: OptimizerSettings,
        schedule: Schedule,
        validate: Callable[[], Mapping[str, float]],
        export: Callable[[Path, Mapping[str, Tensor], Mapping[str, float]], None],
        folder: Path,
        configuration: Mapping[str, object],
    ) -> None:
        if schedule.needs_budget and not settings.has_budget:
            raise ConfigError("schedule: follows the budget, so set trainer.updates, trainer.epochs or trainer.hours")
        self.settings = settings
        self.batches = batches
        self.schedule = schedule
        self.peak = optimizer.learning_rate
        self.folder = folder
        self.configuration = configuration
        parameters = dict(model.named_parameters())
        average = None if settings.ema is None else ExponentialAverage(settings.ema, parameters)
        number_format = precision(settings.precision, model.output_weight.device)
        self.part = Part(model, objective, Criterion(settings.smoothing), number_format, settings.noise)
        self.updater = Updater(
            model,
            optimizer.create(parameters.values()),
            Alone(self.part),
            average,
            settings.clip,
            settings.seed,
        )
        self.checkpoints = Checkpoints(folder / "checkpoints")
        self.selection = Selection(settings, model, average, validate, export, folder / "model", self.checkpoints)

    def train(self) -> Outcome:
        """Train until a budget is used up, patience is at its end or a signal comes.

        Raises TrainingError: another configuration, damaged checkpoints, or gradients that stay non-finite.
        """
        if self.settings.threads is not None:
            torch.set_num_threads(self.settings.threads)
        with claimed(self.folder), Interrupts() as self._interrupts, Reporter() as self._reporter:
            state = self._restored()
            if state.finished and (reason := self._ending(state)):
                return self._say_finished(state, reason)
            state.finished = False
            if state.update:
                been = f"{state.update:,} ({duration(state.seconds)} so far)"
                self._reporter.say(f"{self.folder}: going on after update {been}")
            self._log = Log(self.folder, state.records, state.update)
            self._begun = time.monotonic() - state.seconds
            self._saved = time.monotonic()
            try:
                with self._shared_out():
                    return self._run(state)
            finally:
                self._log.close()

    @contextmanager
    def _shared_out(self) -> Iterator[None]:
        """Inside, the batches of an update are computed side by side where that is possible."""
        self.updater.gradient = shared_out(self.part, self.settings.accumulation, self._reporter.say)
        try:
            yield
        finally:
            self.updater.gradient.close()

    def _run(self, state: State) -> Outcome:
        try:
            reason = self._updates(state)
            self._finish(state)
        except Interrupted:
            self._save(state)
            text = f"stopped after update {state.update:,}: the same command goes on from there"
            self._reporter.say(text)
            return Outcome(state.update, state.scores, text, self._interrupts.exit_code)
        return self._say_finished(state, reason)

    def _updates(self, state: State) -> str:
        """Update after update until the run is to end; why it is."""
        groups = self._groups(state.epoch, state.batch)
        self._validate_when_due(state)  # a signal may have come before that
        while (reason := self._ending(state)) is None:
            if self._interrupts.received is not None:
                raise Interrupted
            begun = time.monotonic()
            batches, epoch, batch = next(groups)
            waited = time.monotonic() - begun
            share = self.schedule.share(state.update + 1, self._progress(state), state.schedule)
            sums = self.updater(batches, state.update + 1, self.peak * share)
            state.epoch, state.batch, state.update = epoch, batch, state.update + 1
            state.tokens += sums.tokens
            state.skipped = state.skipped + 1 if sums.skipped else 0
            state.interval.add(sums, time.monotonic() - begun, waited)
            state.seconds = time.monotonic() - self._begun
            if state.skipped >= SKIPPED_IN_A_ROW:
                raise TrainingError(_diverged(state.update))
            if state.update % self.settings.report_every == 0:
                self._report(state, self.peak * share)
            self._validate_when_due(state)
            if time.monotonic() - self._saved >= 60 * self.settings.checkpoint_minutes:
                self._save(state)
        return reason

    def _groups(self, epoch: int, batch: int) -> Iterator[tuple[list[Batch], int, int]]:
        """The batches of each update, which never crosses into the next epoch, with the place of the next batch."""
        while True:
            count = self.batches.batch_count(epoch)
            if count == 0:
                raise TrainingError(f"epoch {epoch} has no batches: the training data is empty")
            stream = iter(self.batches.batches(epoch, batch))
            while group := list(islice(stream, self.settings.accumulation)):
                batch += len(group)
                yield (group, epoch, batch) if batch < count else (group, epoch + 1, 0)
            epoch, batch = epoch + 1, 0

    def _validate_when_due(self, state: State) -> None:
        if state.update > state.validated and state.update % self.settings.validate_every == 0:
            self._validate(state)

    def _validate(self, state: State) -> None:
        """Changes nothing when a signal comes in the middle: then the validation is due again."""
        with self._interrupts.at_once():
            scores = self.selection.validate()
        score = self.settings.judge(scores)
        state.schedule = self.schedule.observe(score, state.schedule)
        better = self.selection.consider(state, score, scores)
        state.seconds = time.monotonic() - self._begun
        self._log.write("validation", state.update, {"scores": scores, "better": better, "seconds": state.seconds})
        self._reporter.validation(state.update, scores, better)
        self._save(state)

    def _finish(self, state: State) -> None:
        """The last validation, and the average of the best."""
        if state.validated < state.update:
            self._validate(state)
        with self._interrupts.at_once():
            averaged = self.selection.validate_average(state)
        if averaged is not None:
            self.selection.ship_average(state, averaged)
            state.seconds = time.monotonic() - self._begun
            self._log.write("average", state.update, {"scores": averaged, "seconds": state.seconds})
            self._reporter.say(f"average of the best {len(state.best)}: {_listed(averaged)}")
        state.finished = True
        self._save(state)

    def _report(self, state: State, learning_rate: float) -> None:
        values = {
            "epoch": self._epochs(state),
            "learning_rate": learning_rate,
            **state.interval.summary(),
            "tokens": state.tokens,
            "seconds": state.seconds,
        }
        state.interval = Interval()
        self._log.write("training", state.update, values)
        progress = self._progress(state)
        left = state.seconds * (1 - progress) / progress if progress else None
        self._reporter.training(state.update, progress, left, values)

    def _save(self, state: State) -> None:
        self._log.sync()
        state.records = self._log.records
        content = {"state": state.plain(), "configuration": self.configuration}
        self.checkpoints.save(state.update, self.updater.tensors(), content)
        states = [State.read(content["state"]) for content in self.checkpoints.contents()]
        self.checkpoints.keep_best(one.update for kept in states for one in kept.best)
        self._saved = time.monotonic()

    def _restored(self) -> State:
        """The state to go on from, the tensors put in their places."""
        checkpoint = self.checkpoints.load()
        if checkpoint is None:
            write_configuration(self.folder, self.configuration)
            return State(schedule=self.schedule.start())
        before: Mapping[str, object] = checkpoint.content["configuration"]  # type: ignore[assignment]
        check_unchanged(before, self.configuration, self.settings.allow, self.folder)
        write_configuration(self.folder, self.configuration)
        try:
            state = State.read(checkpoint.content["state"])  # type: ignore[arg-type]
            self.updater.restore(checkpoint.tensors)
        except (KeyError, TypeError, RuntimeError) as error:
            raise TrainingError(f"{self.folder}: its checkpoint is of another model: {error}") from error
        state.schedule = {**self.schedule.start(), **state.schedule}
        return state

    def _epochs(self, state: State) -> float:
        return state.epoch + state.batch / max(1, self.batches.batch_count(state.epoch))

    def _progress(self, state: State) -> float:
        used = self.settings.used(state.update, self._epochs(state), state.seconds)
        return min(1.0, max(used.values(), default=0.0))

    def _ending(self, state: State) -> str | None:
        """Why the run is at its end; None when it is not."""
        used = self.settings.used(state.update, self._epochs(state), state.seconds)
        for name, share in used.items():
            if share >= 1:
                return f"trainer.{name}={getattr(self.settings, name)} is used up"
        if self.settings.patience is not None and state.waited >= self.settings.patience:
            return f"no better {self.settings.metric} in trainer.patience={self.settings.patience} validations"
        return None

    def _say_finished(self, state: State, reason: str) -> Outcome:
        best = f"best {_listed(state.scores)} after update {state.best[0].update:,}; " if state.best else ""
        self._reporter.say(
            f"{self.folder} is finished after update {state.update:,} and {duration(state.seconds)}: {reason}; "
            f"{best}a higher value of that key in the same command goes on"
        )
        return Outcome(state.update, state.scores, reason, 0)


def _listed(scores: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in scores.items())


def _diverged(update: int) -> str:
    return (
        f"update {update}: the gradient was not finite in {SKIPPED_IN_A_ROW} updates in a row: "
        "lower optimizer.learning_rate, raise schedule.warmup, or set trainer.precision=fp32, in a new run folder"
    )
