"""Keeps a run: what it is made of goes into checkpoints, and comes back out of them."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from seq2seq.data.dataset.cache import Fingerprint
from seq2seq.errors import TrainingError
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.data_check import DATA, MAKE_PAIRS, check_data, differences
from seq2seq.training.distributed.process_group import ProcessGroup
from seq2seq.training.run_config import changed_keys, check_unchanged, flat, judged_otherwise, write_configuration
from seq2seq.training.run_logger import RunLogger
from seq2seq.training.run_state import State
from seq2seq.training.settings import AUTO, Settings
from seq2seq.training.update import Updater

logger = logging.getLogger(__name__)


class CheckpointManager:
    """The checkpoints of the run in `folder`. Only the leader of the process group reads and writes them."""

    def __init__(
        self,
        folder: Path,
        checkpoints: Checkpoints,
        updater: Updater,
        settings: Settings,
        configuration: Mapping[str, object],
        data: Fingerprint,
        group: ProcessGroup,
    ) -> None:
        self.folder = folder
        self.checkpoints = checkpoints
        self.updater = updater
        self.settings = settings
        self.configuration = configuration
        self.data = data
        self.group = group
        self._saved = time.monotonic()
        self._before: Mapping[str, object] = {}  # the configuration of the checkpoint
        self.judged_otherwise = False  # than in the checkpoint

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is as old as it may be."""
        return time.monotonic() - self._saved >= 60 * self.settings.checkpoint_minutes

    def save(self, state: State, logger: RunLogger) -> None:
        """A checkpoint; the whole process group takes part."""
        tensors = self.updater.tensors()
        if self.group.rank == 0:
            logger.sync()
            state.records = logger.records
            content = {"state": state.plain(), "configuration": self.configuration, DATA: self.data}
            self.checkpoints.save(state.update, tensors, content)
            states = [State.read(content["state"]) for content in self.checkpoints.contents()]
            self.checkpoints.keep_best(update for one in states for update in one.kept)
        self._saved = time.monotonic()

    def restore(self, beginning: State) -> State:
        """The state to go on from, `beginning` for a new run; the tensors are put in their places.

        Raises TrainingError when the checkpoint is of another configuration, other data or another model.
        """
        self._check_group()
        checkpoint = self.group.broadcast(self.checkpoints.load() if self.group.rank == 0 else None)
        if checkpoint is None:
            state = beginning
        else:
            before: Mapping[str, object] = checkpoint.content["configuration"]  # type: ignore[assignment]
            check_unchanged(before, self.configuration, self.settings.allow_changed, self.folder)
            self._before = before
            self.judged_otherwise = judged_otherwise(before, self.configuration)
            self._check_data(before, checkpoint.content.get(DATA))  # type: ignore[arg-type]
            try:
                state = State.read(checkpoint.content["state"])  # type: ignore[arg-type]
                self.updater.restore(checkpoint.tensors)
            except (KeyError, TypeError, RuntimeError) as error:
                raise TrainingError(f"{self.folder}: its checkpoint is of another model: {error}") from error
            state.schedule = {**beginning.schedule, **state.schedule}
        return state

    def decided(self, settings: Settings) -> Settings:
        """With the metric that the run began with, where `trainer.metric=auto` asks for no other."""
        before = flat(self._before).get("trainer.metric")
        if isinstance(before, str) and flat(self.configuration).get("trainer.metric") == AUTO:
            return replace(settings, metric=before)
        return settings

    def _check_group(self) -> None:
        """Raises TrainingError, in all processes, where one of them has other data than the leader."""
        leaders, *others = self.group.all_gather([self.data])
        for number, data in enumerate(others, 1):
            if result := differences(leaders, data, made_otherwise=False):
                lines = "\n".join(f"  {one.key}: {one.how}" for one in result)
                raise TrainingError(
                    f"rank {number} of {self.group.world_size} has other data than rank 0:\n{lines}\n"
                    "Copy the same text, and the same tokenizer, to every machine."
                )

    def _check_data(self, configuration: Mapping[str, object], data: Fingerprint | None) -> None:
        """See check_data; a run that an older version began gets its fingerprint now."""
        if data is not None:
            changed = changed_keys(configuration, self.configuration)
            made_otherwise = any(key.split(".")[0] in MAKE_PAIRS for key in changed)
            check_data(data, self.data, self.settings.allow_changed, self.folder, made_otherwise)
            self.judged_otherwise |= any(one.key == f"{DATA}.valid" for one in differences(data, self.data, False))
        elif self.group.rank == 0:
            logger.warning(
                "warning: %s: an older version wrote its checkpoint, which does not tell which text it learnt from: "
                "whether that has changed since then cannot be seen; from now on it is told",
                self.folder,
            )

    def write_configuration(self, settings: Settings) -> None:
        """The run's configuration, with what `trainer.updates=+5000` and `trainer.metric=auto` have become."""
        changed: dict[str, object] = {"updates": settings.updates} if isinstance(self.settings.updates, str) else {}
        if flat(self.configuration).get("trainer.metric") == AUTO:
            changed["metric"] = settings.metric
        if changed:
            trainer: Mapping[str, object] = self.configuration["trainer"]  # type: ignore[assignment]
            self.configuration = {**self.configuration, "trainer": {**trainer, **changed}}
        if self.group.rank == 0:
            write_configuration(self.folder, self.configuration)
