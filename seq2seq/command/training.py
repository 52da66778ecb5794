"""What all commands that train share: the network they begin with, and the run itself."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import torch
from torch import nn

from seq2seq.command.prepare import Node, say
from seq2seq.config import build
from seq2seq.data.corpus.base import Corpus
from seq2seq.device import default_device
from seq2seq.errors import ConfigError
from seq2seq.training.configuration import older
from seq2seq.training.loop import Batches
from seq2seq.training.network import Network
from seq2seq.training.objective.base import Objective
from seq2seq.training.optimizer import OptimizerSettings
from seq2seq.training.selection import Export
from seq2seq.training.settings import Settings
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
            say(f"{run} was begun by an older version: it goes on with tokenizer.{key}={value}")
            tokenizer[key] = recorded[key] = value


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
    network: Network,
    objective: Objective,
    batches: Batches,
    optimizer: OptimizerSettings,
    schedule: Node,
    validate: Callable[[], Mapping[str, float]],
    export: Export,
    configuration: Node,
) -> int:
    """Trains into the folder `run`, or goes on there; the exit code. See Trainer."""
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
    )
    return trainer.train().exit_code
