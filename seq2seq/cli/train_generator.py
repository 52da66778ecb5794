"""`seq2seq train_generator`: labels, or vectors of numbers, each with a line of text, become a generator."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from seq2seq.cli.prepare import Node
from seq2seq.cli.train_labelled import LabelledJob
from seq2seq.config.build import build, call
from seq2seq.data.corpus.base import Pair
from seq2seq.data.dataset.store import Store
from seq2seq.data.tokenizer.labelled_tokenizer import LabelTokenizer, NumberTokenizer
from seq2seq.device import default_device
from seq2seq.errors import ConfigError
from seq2seq.evaluation.validation_text import held_out_pairs
from seq2seq.tasks.labelling.generation import LineGenerator, share_exact
from seq2seq.training.validation import ValidationLoss


@dataclass(frozen=True, kw_only=True)
class TrainGenerator(LabelledJob):
    """A training of a generator."""

    kind: ClassVar[str] = "generator"

    condition: Literal["label", "numbers"]
    search: Node
    validation: Node

    def train(self) -> int:
        parts = self.parts(LabelTokenizer if self.condition == "label" else NumberTokenizer)
        loss = ValidationLoss(parts.network, parts.held_out, parts.dtype)
        search = build(self.search, where="search")
        generator = LineGenerator(parts.network, parts.tokenizer, search, 64, parts.dtype, default_device())
        pairs = call(_sample, {**self.validation, "stores": list(parts.prepared.valid.values())}, "validation")

        def validate() -> Mapping[str, float]:
            return {"loss": loss(), "exact": share_exact(generator, pairs)}

        return self.fit_parts(parts, validate)


run = TrainGenerator


def _sample(stores: list[Store], max_lines: int) -> list[Pair]:
    """Pairs from all over the stores, at most `lines`."""
    if max_lines < 1:
        raise ConfigError(f"validation.max_lines: expected a positive int, got {max_lines}")
    sources, targets = stores[0].language_numbers(np.arange(1))
    direction = stores[0].languages[int(sources[0])], stores[0].languages[int(targets[0])]  # the only one
    return held_out_pairs(stores, [direction], max_lines)
