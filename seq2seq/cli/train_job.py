"""What all commands that train share: their keys, the network they begin with, and the run itself."""

import functools
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

import torch
from torch import nn

from seq2seq import plugins
from seq2seq.cli.paths import Place, Tree, check_places, run_places
from seq2seq.cli.prepare import Node, say, text_places
from seq2seq.cli.warm_start import WarmStart
from seq2seq.config.build import build
from seq2seq.config.typecheck import place
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.dataset.cache import Fingerprint
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import default_device, tune_memory
from seq2seq.errors import ConfigError, ModelError
from seq2seq.model_folder.config import CONFIG
from seq2seq.model_folder.folder import WEIGHTS, find
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.data_check import OWN, check_text
from seq2seq.training.distributed.process_group import ProcessGroup, is_main
from seq2seq.training.loop import Batches
from seq2seq.training.objective.base import Objective
from seq2seq.training.optimizer import OptimizerSettings
from seq2seq.training.run_config import older
from seq2seq.training.settings import Settings
from seq2seq.training.trainable import Trainable
from seq2seq.training.trainer import Trainer
from seq2seq.training.validation import ExportModel


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """The keys that all commands that train have, and the steps that they have in common.

    Trains into the folder `run`, or resumes there. `configuration` is all of the configuration, for the run's records.
    """

    kind: ClassVar[str]  # of the model folder

    run: Path
    seed: int
    corpus: Node
    cleaning: Node
    tokenizer: Node
    prepare: Node
    cache: Path
    init_from: Path | None
    init_optimizer: bool
    freeze: list[str]
    model: Node
    objective: Node
    optimizer: Node
    schedule: Node
    trainer: Node
    license: str | None
    configuration: Node

    def train(self) -> int:
        """The exit code of the run."""
        raise NotImplementedError

    def checked(self) -> tuple[Corpus, Settings]:
        """The corpus and what the run does, before anything is read. Raises ConfigError."""
        tune_memory()
        text = corpus_with_valid(self.corpus)
        check_run_places(text, self.run, self.cache, self.tokenizer, self.init_from)
        settings: Settings = build(self.trainer, where="trainer")
        self.warm_start()  # wrong settings are refused before the text is prepared
        keep_tokenizer(self.run, self.tokenizer, self.configuration)
        return text, settings

    def new_network(self, sizes: Mapping[str, object], train: object) -> nn.Module:
        """A network of these sizes, with weights from `seed`; prints its number of parameters and the training data."""
        torch.manual_seed(self.seed)
        network: nn.Module = build(self.model, sizes, "model")
        count = sum(parameter.numel() for parameter in network.parameters())
        say(f"model: {count:,} parameters; train: {train}")
        return network.to(default_device())

    def warm_start(self) -> WarmStart:
        """What the run begins with. Raises ConfigError."""
        return WarmStart(self.run, self.init_from, self.init_optimizer, self.freeze)

    def fit(
        self,
        settings: Settings,
        network: Trainable,
        objective: Objective,
        batches: Batches,
        optimizer: OptimizerSettings,
        validate: Callable[[], Mapping[str, float]],
        export: ExportModel,
        data: Fingerprint,
        group: ProcessGroup,
    ) -> int:
        """Trains what has been assembled; the exit code. See Trainer."""
        trainer = Trainer(
            settings,
            network,
            objective,
            batches,
            optimizer,
            build(self.schedule, where="schedule"),
            validate,
            export,
            self.run,
            {key: value for key, value in self.configuration.items() if key != "cache"},
            {**data, OWN: plugins.code_of(self.configuration)},
        )
        return trainer.train_in(group).exit_code


def corpus_with_valid(corpus: Node) -> Corpus:
    """The corpus, which must have held-out text. Raises ConfigError."""
    text: Corpus = build(corpus, where="corpus")
    if not text.valid:
        raise ConfigError("corpus.valid: training needs held-out text to choose the best model: name a split")
    return text


def keep_tokenizer(run: Path, tokenizer: Node, configuration: Node) -> None:
    """Sets keys of a new tokenizer, in place, as they were for a run of an older version that is to go on."""
    recorded = cast("Node", configuration["tokenizer"])
    for key, value in older(run, "tokenizer").items():
        if key in tokenizer and tokenizer[key] != value:
            say(f"{run} was begun by an older version: it continues with tokenizer.{key}={value}")
            tokenizer[key] = recorded[key] = value


def check_run_places(text: Corpus, run: Path, cache: Path, tokenizer: Node, init_from: Path | None) -> None:
    """Refuse a run whose folder would overwrite what it reads, or that lies in a model folder, which gets replaced.

    A resumed run reads no other one any more. Raises ConfigError.
    """
    read: dict[str, list[Place]] = {"corpus": text_places(text)}
    if not Checkpoints(run / "checkpoints").contents():
        existing = tokenizer.get("folder")
        given = {"init_from": init_from, "tokenizer.folder": None if existing is None else place(existing)}
        read |= {key: [Tree(one) for one in _used_of(folder)] for key, folder in given.items() if folder is not None}
        for around in (run, *run.absolute().parents):
            if (around / CONFIG).is_file() and (around / WEIGHTS).is_file():
                raise ConfigError(
                    f"run: {run} lies in the model folder {around}, which is replaced as a whole: name another folder"
                )
    check_places(read, {"cache": [cache], "run": run_places(run) if is_main() else []})


def checked_text(text: Corpus, run: Path, settings: Settings) -> dict[str, str]:
    """The fingerprints of splits that a resumed run was compared with; none for a new one. See check_text."""
    return check_text(text, run, settings.allow_changed) if is_main() else {}


def _used_of(folder: Path) -> list[Path]:
    """What of a run or model folder another run begins with."""
    with suppress(ModelError):
        return [find(folder), folder / "checkpoints"]
    return [folder]


def build_objective(node: Node, tokenizer: Tokenizer | None = None) -> Objective:
    """The objective of a node; one that reads text gets the translator's tokenizer.

    Raises ConfigError where it reads text and the network writes none (`tokenizer` is None).
    """
    aim: Objective | functools.partial[Objective] = build(node, where="objective")
    if not isinstance(aim, functools.partial):
        return aim
    if tokenizer is None:
        name = aim.func.__module__.rpartition(".")[2]
        raise ConfigError(f"objective={name} compares translations and trains translators only: set another one")
    return aim(tokenizer=tokenizer)
