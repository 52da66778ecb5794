"""The loop of a run: update after update, validations and checkpoints when they are due, until it is to end."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import TrainingError
from seq2seq.training.checkpoint_manager import CheckpointManager
from seq2seq.training.distributed.process_group import ProcessGroup
from seq2seq.training.run_logger import RunLogger
from seq2seq.training.run_state import RunningStats, State, UpdateSums
from seq2seq.training.schedule.base import Schedule
from seq2seq.training.settings import TIES, Settings
from seq2seq.training.stopping import Interrupted, SignalHandler, ending, epochs, progress
from seq2seq.training.update import Updater
from seq2seq.training.validation import Scores, Selection

Result = TypeVar("Result")
CONSTANT = 3  # validations in a row with the same score, before a warning
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

    def texts(self, batch: Batch) -> list[tuple[str, str]]:
        """The lines of source and target that a batch was made of."""
        ...


class UpdateBatches(NamedTuple):
    """The batches of one update, the place of the next batch, and how long they were waited for."""

    batches: list[Batch]
    epoch: int
    batch: int
    seconds: float


@dataclass
class Loop:
    """A run between start and end, with its `state`. The processes of the group execute it in step."""

    settings: Settings
    group: ProcessGroup
    interrupts: SignalHandler
    logger: RunLogger
    checkpoint_manager: CheckpointManager
    batches: Batches
    schedule: Schedule
    peak: float  # learning rate
    updater: Updater
    selection: Selection
    state: State
    warned_of_splits: bool = False  # once is enough: every batch as large is cut from then on

    def run(self) -> str:
        """Update after update, then the end; why it came. Raises Interrupted, with everything saved."""
        self._begun = time.monotonic() - self.state.seconds
        try:
            reason = self._updates()
            self._finish()
        except Interrupted:
            self.checkpoint_manager.save(self.state, self.logger)
            raise
        return reason

    def _updates(self) -> str:
        state = self.state
        groups = self._groups(state.epoch, state.batch)
        self._validate_when_due()  # a signal may have come before that
        self._stop(self.group.all_reduce_max([float(self.interrupts.received or 0)])[0])
        while (reason := ending(self.settings, state, self._count())) is None:
            started = time.monotonic()
            group = next(groups)
            rate = self.peak * self.schedule.share(state.update + 1, self._progress(), state.schedule)
            sums = self.updater(group.batches, state.update + 1, rate)
            state.epoch, state.batch, state.update = group.epoch, group.batch, state.update + 1
            state.tokens += sums.tokens
            now = time.monotonic()
            signal_number, state.seconds, due = self.group.all_reduce_max(
                [float(self.interrupts.received or 0), now - self._begun, float(self.checkpoint_manager.due)]
            )
            state.interval.add(sums, now - started, group.seconds)
            self._report_problems(sums, group.batches)
            if state.update % self.settings.report_every == 0:
                self._report(rate)
            self._validate_when_due()
            if due:
                self.checkpoint_manager.save(state, self.logger)
            self._stop(signal_number)
        return reason

    def _stop(self, signal_number: float) -> None:
        """Ends here if any process received a signal of this number; 0 is none."""
        if signal_number:
            self.interrupts.received = int(signal_number)
            raise Interrupted

    def _groups(self, epoch: int, batch: int) -> Iterator[UpdateBatches]:
        """The batches of each update, which never crosses into the next epoch."""
        while True:
            count = self.batches.batch_count(epoch)
            if count == 0:
                raise TrainingError(f"epoch {epoch} has no batches: the training data is empty")
            stream = iter(self.batches.batches(epoch, batch))
            started = time.monotonic()
            while group := list(islice(stream, self.settings.accumulation)):
                batch += len(group)
                place = (epoch, batch) if batch < count else (epoch + 1, 0)
                yield UpdateBatches(group, *place, time.monotonic() - started)
                started = time.monotonic()
            epoch, batch = epoch + 1, 0

    def _report_problems(self, sums: UpdateSums, batches: list[Batch]) -> None:
        """Take note of an update that was skipped, or whose batches were cut."""
        state = self.state
        if sums.cuts and not self.warned_of_splits:
            self.warned_of_splits = True
            self.logger.say(
                f"update {state.update:,}: memory ran short; its batches were cut {sums.cuts} times; others as large "
                "will be (loader.max_tokens sets their size)"
            )
        state.skipped = state.skipped + 1 if sums.skipped else 0
        if sums.skipped:
            texts = (text for batch in batches for text in self.batches.texts(batch))
            self.logger.skipped(state.update, sums.plain, texts)
        if state.skipped >= SKIPPED_IN_A_ROW:
            raise TrainingError(self._diverged())

    def _validate_when_due(self) -> None:
        if self.state.update > self.state.validated and self.state.update % self.settings.validate_every == 0:
            self._validate()

    def _validate(self) -> None:
        """Changes nothing when a signal comes in the middle: then the validation is due again."""
        state = self.state
        if (scores := self._scores(average=False)) is not None:
            better = self.selection.consider(state, scores)
            state.schedule = self.schedule.observe(better, state.schedule)
            state.seconds = time.monotonic() - self._begun
            self.logger.validation(state.update, scores, better, state.seconds)
            if state.constant == CONSTANT:
                self.logger.say(self._constant(scores))
        state.become(self.group.broadcast(state))
        self.checkpoint_manager.save(state, self.logger)

    def _constant(self, scores: Scores) -> str:
        metric = self.settings.metric
        others = " and then ".join(name for name in TIES if name in scores and name != metric) or "nothing else"
        return (
            f"warning: {metric} was {scores[metric]:.3f} in {CONSTANT} validations in a row: while it stays so it "
            f"decides nothing, neither patience nor which weights ship; {others} does (see trainer.metric)"
        )

    def _finish(self) -> None:
        """The last validation, and the average of the kept weights."""
        state = self.state
        if state.validated < state.update:
            self._validate()
        if (scores := self._scores(average=True)) is not None:
            self.selection.export_average(state, scores)
            state.seconds = time.monotonic() - self._begun
            self.logger.write("average", state.update, {"scores": scores, "seconds": state.seconds})
            self.logger.say(
                f"average of {len(self.selection.averaged(state))} validated weights: {format_scores(scores)}"
            )
        state.finished = True
        state.become(self.group.broadcast(state))
        self.checkpoint_manager.save(state, self.logger)

    def judge_again(self) -> None:
        """Compare later validations with what the best weights so far score by the validation of now.

        Interrupted, it changes nothing that is stored, and is due again.
        """
        if self.state.best:
            self.logger.say(f"validation is another one: {len(self.state.kept)} kept weights are judged by it anew")
            self._main_only(lambda: self.selection.judge_again(self.state, self.interrupts.at_once))
            self.state.become(self.group.broadcast(self.state))
            self.logger.say(f"best so far: {format_scores(self.state.scores)}")

    def _scores(self, average: bool) -> Scores | None:
        """Of the weights, or their average, by the main process; None for the others. Raises Interrupted in all."""
        at_once = self.interrupts.at_once
        if average:
            return self._main_only(lambda: self.selection.validate_average(self.state, at_once))
        return self._main_only(lambda: self.selection.validate(at_once))

    def _main_only(self, action: Callable[[], Result]) -> Result | None:
        """A task of the main process; None for the others. Raises Interrupted in all if a signal ends it."""
        result, signal_number = None, 0
        if self.group.rank == 0:
            try:
                result = action()
            except Interrupted:
                signal_number = self.interrupts.received or 0
        self._stop(float(self.group.broadcast(signal_number)))
        return result

    def _report(self, learning_rate: float) -> None:
        state = self.state
        values = {
            "epoch": epochs(state, self._count()),
            "learning_rate": learning_rate,
            **state.interval.summary(),
            "tokens": state.tokens,
            "seconds": state.seconds,
        }
        state.interval = RunningStats()
        progress = self._progress()
        left = state.seconds * (1 - progress) / progress if progress else None
        self.logger.training(state.update, progress, left, values)

    def _count(self) -> int:
        return self.batches.batch_count(self.state.epoch)

    def _progress(self) -> float:
        return progress(self.settings, self.state, self._count())

    def _diverged(self) -> str:
        return (
            f"update {self.state.update}: loss or gradient was not finite in {SKIPPED_IN_A_ROW} updates in a row, "
            f"which changed nothing; their lines are in {self.logger.folder / 'skipped'}. To resume from the "
            "last checkpoint, lower optimizer.learning_rate or trainer.clip_norm, or set trainer.precision=fp32, and "
            "accept that: 'trainer.allow_changed=[optimizer.learning_rate]'"
        )


def format_scores(scores: Scores) -> str:
    """`bleu 38.123  loss 1.534`."""
    return "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
