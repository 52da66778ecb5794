"""What all commands that train share: the network they begin with, and the run itself."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast

import torch
from torch import nn

from seq2seq import plugins as own
from seq2seq.cli.paths import Place, Tree, check_places, run_places
from seq2seq.cli.prepare import Node, say, text_places
from seq2seq.config.build import build
from seq2seq.config.typecheck import place
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.dataset.fingerprint import Fingerprint
from seq2seq.device import default_device
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
from seq2seq.training.selection import ExportModel
from seq2seq.training.settings import Settings
from seq2seq.training.trainable import Trainable
from seq2seq.training.trainer import Trainer


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


def new_network(model: Node, sizes: Mapping[str, object], seed: int, train: object) -> nn.Module:
    """A network of these sizes, with weights from `seed`; says how many it has, and what it will be trained on."""
    torch.manual_seed(seed)
    network: nn.Module = build(model, sizes, "model")
    count = sum(parameter.numel() for parameter in network.parameters())
    say(f"model: {count:,} parameters; train: {train}")
    return network.to(default_device())


def train(
    run: Path,
    settings: Settings,
    network: Trainable,
    objective: Objective,
    batches: Batches,
    optimizer: OptimizerSettings,
    schedule: Node,
    validate: Callable[[], Mapping[str, float]],
    export: ExportModel,
    configuration: Node,
    data: Fingerprint,
    group: ProcessGroup,
) -> int:
    """Trains into the folder `run`, or resumes there; the exit code. See Trainer."""
    trainer = Trainer(
        settings,
        network,
        objective,
        batches,
        optimizer,
        build(schedule, where="schedule"),
        validate,
        export,
        run,
        {key: value for key, value in configuration.items() if key != "cache"},
        {**data, OWN: own.code_of(configuration)},
    )
    return trainer.train_in(group).exit_code


def _used_of(folder: Path) -> list[Path]:
    """What of a run or model folder another run begins with."""
    with suppress(ModelError):
        return [find(folder), folder / "checkpoints"]
    return [folder]
