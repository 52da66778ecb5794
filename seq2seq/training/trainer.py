"""A training run from its first update to the model that ships; the same call again goes on where it was left."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import torch

from seq2seq.data.dataset.fingerprint import Fingerprint
from seq2seq.data.loader.batch import Batch
from seq2seq.device import precision
from seq2seq.errors import ConfigError
from seq2seq.training.average import ExponentialAverage
from seq2seq.training.budget import ending, extended
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.checkpoint_manager import Keeper
from seq2seq.training.criterion import Criterion
from seq2seq.training.distributed.distributed_gradient import SharedOut
from seq2seq.training.distributed.process_group import Team, joined
from seq2seq.training.distributed.workers import shared_out
from seq2seq.training.gradient import Alone, Part
from seq2seq.training.loop import Batches, Loop, listed
from seq2seq.training.objective.base import Objective
from seq2seq.training.optimizer import OptimizerSettings
from seq2seq.training.progress import Reporter, duration
from seq2seq.training.run_lock import claimed
from seq2seq.training.run_logger import Diary
from seq2seq.training.schedule.base import Schedule
from seq2seq.training.selection import Export, Selection
from seq2seq.training.settings import Settings
from seq2seq.training.signals import Interrupted, Interrupts
from seq2seq.training.state import State
from seq2seq.training.trainable import Carrying, Network
from seq2seq.training.update import Updater


@runtime_checkable
class Uneven(Protocol):
    """Training data whose batches differ in size."""

    def worst(self, epoch: int) -> Batch:
        """The one of an epoch that needs the most memory."""
        ...


class Outcome(NamedTuple):
    """How a call of `train` ended; `exit_code` is 0, or 130 after Ctrl-C and 143 after SIGTERM."""

    update: int
    scores: Mapping[str, float]  # of the best validation so far
    reason: str
    exit_code: int


class Trainer:
    """Trains `model` into the run folder `folder`: config.yaml, log.jsonl, checkpoints/, model/, skipped/.

    `validate()` gives the scores of the model as it stands, `trainer.metric` among them; `export(folder, weights,
    scores, spent)` writes a model folder; `spent` are the updates, target tokens and seconds so far. `configuration` is
    the whole resolved configuration, `data` the fingerprint of what it learns from; a run goes on only with those it
    began with (see configuration.py, same_data.py).
    Killed at any moment and called again, the run ends with the same weights, bit for bit on one CPU machine, and the
    same log but for times (unless its budget is in hours). Started by torchrun, several processes train it together.
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
        export: Export,
        folder: Path,
        configuration: Mapping[str, object],
        data: Fingerprint,
    ) -> None:
        if schedule.needs_budget and not settings.has_budget:
            raise ConfigError("schedule: follows the budget, so set trainer.updates, trainer.epochs or trainer.hours")
        self.settings = settings
        self.batches = batches
        self.schedule = schedule
        self.peak = optimizer.learning_rate
        self.folder = folder
        self.configuration = configuration
        self.data = data
        parameters = dict(model.named_parameters())
        average = None if settings.ema_decay is None else ExponentialAverage(settings.ema_decay, parameters)
        number_format = precision(settings.precision, model.output_weight.device)
        self.part = Part(
            model, objective, Criterion(settings.label_smoothing), number_format, settings.log_gradient_noise
        )
        self.updater = Updater(
            model,
            optimizer.create(parameters),
            Alone(self.part),
            average,
            settings.clip_norm,
            settings.seed,
        )
        self.checkpoints = Checkpoints(folder / "checkpoints")
        self.selection = Selection(settings, model, average, validate, export, folder / "model", self.checkpoints)

    def train(self) -> Outcome:
        """Train until a budget is used up, patience is at its end or a signal comes.

        Raises TrainingError: another configuration or other data, damaged checkpoints, gradients that stay non-finite,
        memory that does not hold the largest batch, or processes of the team that ended.
        """
        with joined(self.settings.timeout) as team:
            return self.train_in(team)

    def train_in(self, team: Team) -> Outcome:
        """The same in a team that has been joined already."""
        if self.settings.cores is not None:
            torch.set_num_threads(self.settings.cores)
        if team.number > 0:
            with Interrupts() as interrupts:
                return self._train(team, interrupts, None)
        with claimed(self.folder), Interrupts() as interrupts, Reporter() as reporter:
            return self._train(team, interrupts, reporter)

    def _train(self, team: Team, interrupts: Interrupts, reporter: Reporter | None) -> Outcome:
        keeper = Keeper(self.folder, self.checkpoints, self.updater, self.settings, self.configuration, self.data, team)
        state = keeper.restore(State(schedule=self.schedule.start()))
        settings = self.selection.settings = keeper.decided(extended(self.settings, state))
        keeper.write_configuration(settings)
        diary = Diary(self.folder, state.records, state.update, reporter)
        if settings.metric != self.settings.metric:
            diary.say(f"trainer.metric: the run began with {settings.metric} and goes on with it")
        try:
            if team.number == 0 and self.selection.restore_model(state):
                diary.say(f"{self.selection.folder} was missing: it is written again from the best weights")
            if state.finished and (reason := ending(settings, state, self.batches.batch_count(state.epoch))):
                return self._finished(diary, state, reason)
            state.finished = False
            if state.update:
                been = f"{state.update:,} ({duration(state.seconds)} so far)"
                diary.say(f"{self.folder}: going on after update {been}")
            with self._shared_out(team, diary):
                loop = Loop(
                    settings,
                    team,
                    interrupts,
                    diary,
                    keeper,
                    self.batches,
                    self.schedule,
                    self.peak,
                    self.updater,
                    self.selection,
                    state,
                )
                try:
                    self._try_worst(state, diary)
                    if keeper.judged_otherwise:
                        loop.judge_again()
                    return self._finished(diary, state, loop.run())
                except Interrupted:
                    text = f"stopped after update {state.update:,}: the same command goes on from there"
                    diary.say(text)
                    return Outcome(state.update, state.scores, text, interrupts.exit_code)
        finally:
            diary.close()

    @contextmanager
    def _shared_out(self, team: Team, diary: Diary) -> Iterator[None]:
        """Inside, the batches of an update are computed side by side where that is possible."""
        accumulation = self.settings.accumulation
        if isinstance(self.part.model, Carrying):
            self.part.model.take(team.number, team.size)
        own = shared_out(self.part, -(-accumulation // team.size), diary.say)
        self.updater.gradient = own if team.size == 1 else SharedOut(own, self.part, team)
        if accumulation < team.size:
            idle = f"{team.size - accumulation} of {team.size} processes have nothing to do"
            diary.say(f"{idle}: trainer.accumulation={accumulation} is the number of batches to share out")
        try:
            yield
        finally:
            self.updater.gradient.close()

    def _try_worst(self, state: State, diary: Diary) -> None:
        """Compute the gradient of the largest batch and forget it, so that memory runs short now or never."""
        if isinstance(self.batches, Uneven):
            worst = self.batches.worst(state.epoch)
            if cuts := self.updater.try_out(worst, self.settings.accumulation):
                diary.say(
                    f"memory does not hold the largest batch: it was cut {cuts} times (loader.max_tokens sets its size)"
                )

    def _finished(self, diary: Diary, state: State, reason: str) -> Outcome:
        best = f"best {listed(state.scores)} after update {state.best[0].update:,}; " if state.best else ""
        diary.say(
            f"{self.folder} is finished after update {state.update:,} and {duration(state.seconds)}: {reason}; "
            f"{best}a higher value of that key in the same command goes on, as does trainer.updates=+1000"
        )
        return Outcome(state.update, state.scores, reason, 0)
