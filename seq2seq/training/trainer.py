"""A training run from its first update to the model that ships; the same call again resumes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import torch

from seq2seq.data.dataset.cache import Fingerprint
from seq2seq.data.loader.batch import Batch
from seq2seq.device import precision
from seq2seq.errors import ConfigError
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.checkpoint_manager import CheckpointManager
from seq2seq.training.criterion import Criterion
from seq2seq.training.distributed.parallel_gradient import DistributedGradient, worker_gradient
from seq2seq.training.distributed.process_group import ProcessGroup, process_group
from seq2seq.training.gradient import MicroBatch, SerialGradient
from seq2seq.training.loop import Batches, Loop, format_scores
from seq2seq.training.objective.base import Objective
from seq2seq.training.optimizer import OptimizerSettings
from seq2seq.training.run_config import run_lock
from seq2seq.training.run_logger import Reporter, RunLogger, duration
from seq2seq.training.run_state import State
from seq2seq.training.schedule.base import Schedule
from seq2seq.training.settings import Settings
from seq2seq.training.stopping import Interrupted, SignalHandler, ending, extended
from seq2seq.training.trainable import Stateful, Trainable
from seq2seq.training.update import ExponentialAverage, Updater
from seq2seq.training.validation import ExportModel, Selection


@runtime_checkable
class HasLargestBatch(Protocol):
    """Training data whose batches differ in size."""

    def largest_batch(self, epoch: int) -> Batch:
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

    `validate()` returns the scores of the current model, `trainer.metric` among them; `export(folder, weights, scores,
    spent)` writes a model folder; `spent`: the updates, target tokens and seconds so far. `configuration`: the whole
    resolved configuration. `data`: the fingerprint of the training data. A run resumes only with the same of both.

    Killed at any moment and started again, the run ends with the same weights, bit for bit on one CPU machine, and the
    same log except for times (unless its budget is in hours). Under torchrun, several processes train it together.
    """

    def __init__(
        self,
        settings: Settings,
        model: Trainable,
        objective: Objective,
        batches: Batches,
        optimizer: OptimizerSettings,
        schedule: Schedule,
        validate: Callable[[], Mapping[str, float]],
        export: ExportModel,
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
        self.micro_batch = MicroBatch(
            model, objective, Criterion(settings.label_smoothing), number_format, settings.log_gradient_noise
        )
        self.updater = Updater(
            model,
            optimizer.create(parameters),
            SerialGradient(self.micro_batch),
            average,
            settings.clip_norm,
            settings.seed,
        )
        self.checkpoints = Checkpoints(folder / "checkpoints")
        self.selection = Selection(settings, model, average, validate, export, folder / "model", self.checkpoints)

    def train(self) -> Outcome:
        """Train until a budget is used up, patience is at its end or a signal comes.

        Raises TrainingError: another configuration or other data, damaged checkpoints, gradients that stay non-finite,
        memory that does not hold the largest batch, or processes of the process group that ended.
        """
        with process_group(self.settings.timeout) as group:
            return self.train_in(group)

    def train_in(self, group: ProcessGroup) -> Outcome:
        """The same in a process group that has been joined already."""
        if self.settings.cores is not None:
            torch.set_num_threads(self.settings.cores)
        if group.rank > 0:
            with SignalHandler() as interrupts:
                return self._train(group, interrupts, None)
        with run_lock(self.folder), SignalHandler() as interrupts, Reporter() as reporter:
            return self._train(group, interrupts, reporter)

    def _train(self, group: ProcessGroup, interrupts: SignalHandler, reporter: Reporter | None) -> Outcome:
        manager = CheckpointManager(
            self.folder, self.checkpoints, self.updater, self.settings, self.configuration, self.data, group
        )
        state = manager.restore(State(schedule=self.schedule.start()))
        settings = self.selection.settings = manager.decided(extended(self.settings, state))
        manager.write_configuration(settings)
        logger = RunLogger(self.folder, state.records, state.update, reporter)
        if settings.metric != self.settings.metric:
            logger.say(f"trainer.metric: the run began with {settings.metric} and continues with it")
        try:
            if group.rank == 0 and self.selection.restore_model(state):
                logger.say(f"{self.selection.folder} was missing: it is written again from the best weights")
            if state.finished and (reason := ending(settings, state, self.batches.batch_count(state.epoch))):
                return self._finished(logger, state, reason)
            state.finished = False
            if state.update:
                been = f"{state.update:,} ({duration(state.seconds)} so far)"
                logger.say(f"{self.folder}: resuming after update {been}")
            with self._gradient_workers(group, logger):
                loop = Loop(
                    settings,
                    group,
                    interrupts,
                    logger,
                    manager,
                    self.batches,
                    self.schedule,
                    self.peak,
                    self.updater,
                    self.selection,
                    state,
                )
                try:
                    self._try_largest_batch(state, logger)
                    if manager.judged_otherwise:
                        loop.judge_again()
                    return self._finished(logger, state, loop.run())
                except Interrupted:
                    text = f"stopped after update {state.update:,}: the same command resumes from there"
                    logger.say(text)
                    return Outcome(state.update, state.scores, text, interrupts.exit_code)
        finally:
            logger.close()

    @contextmanager
    def _gradient_workers(self, group: ProcessGroup, logger: RunLogger) -> Iterator[None]:
        """Inside, the batches of an update are computed side by side where that is possible."""
        accumulation = self.settings.accumulation
        if isinstance(self.micro_batch.model, Stateful):
            self.micro_batch.model.take(group.rank, group.world_size)
        own = worker_gradient(self.micro_batch, -(-accumulation // group.world_size), logger.say)
        self.updater.gradient = own if group.world_size == 1 else DistributedGradient(own, self.micro_batch, group)
        if accumulation < group.world_size:
            idle = f"{group.world_size - accumulation} of {group.world_size} processes have nothing to do"
            logger.say(f"{idle}: trainer.accumulation={accumulation} is the number of batches to share out")
        try:
            yield
        finally:
            self.updater.gradient.close()

    def _try_largest_batch(self, state: State, logger: RunLogger) -> None:
        """Compute the gradient of the largest batch and forget it, so that memory runs short now or never."""
        if isinstance(self.batches, HasLargestBatch):
            worst = self.batches.largest_batch(state.epoch)
            if cuts := self.updater.dry_run(worst, self.settings.accumulation):
                logger.say(
                    f"memory does not hold the largest batch: it was cut {cuts} times (loader.max_tokens sets its size)"
                )

    def _finished(self, logger: RunLogger, state: State, reason: str) -> Outcome:
        best = f"best {format_scores(state.scores)} after update {state.best[0].update:,}; " if state.best else ""
        logger.say(
            f"{self.folder} is finished after update {state.update:,} and {duration(state.seconds)}: {reason}; "
            f"{best}a higher value of that key in the same command continues, as does trainer.updates=+1000"
        )
        return Outcome(state.update, state.scores, reason, 0)
