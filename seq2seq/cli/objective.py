"""What a network is trained towards, as the commands that train build it."""

import functools

from seq2seq.cli.prepare import Node
from seq2seq.config.build import build
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.training.objective.base import Objective


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
