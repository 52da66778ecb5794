"""`seq2seq train_generator`: labels, or vectors of numbers, each with a line of text, become a generator."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from seq2seq.cli.prepare import Node
from seq2seq.cli.train_job import keep_tokenizer
from seq2seq.cli.train_labelled import parts, train_parts
from seq2seq.cli.warm_start import WarmStart
from seq2seq.config.build import build, call
from seq2seq.data.corpus.base import Pair
from seq2seq.data.dataset.store import Store
from seq2seq.data.tokenizer.labelled_tokenizer import LabelTokenizer, NumberTokenizer
from seq2seq.device import default_device
from seq2seq.errors import ConfigError
from seq2seq.evaluation.validation_text import held_out_pairs
from seq2seq.tasks.labelling.generation import LineGenerator, share_exact
from seq2seq.training.validation_loss import ValidationLoss


def run(
    run: Path,
    seed: int,
    condition: Literal["label", "numbers"],
    corpus: Node,
    cleaning: Node,
    tokenizer: Node,
    prepare: Node,
    cache: Path,
    init_from: Path | None,
    init_optimizer: bool,
    freeze: list[str],
    loader: Node,
    model: Node,
    objective: Node,
    optimizer: Node,
    schedule: Node,
    trainer: Node,
    search: Node,
    validation: Node,
    license: str | None,
    configuration: Node,
) -> int:
    """Trains into the folder `run`, or resumes there; `configuration` is all of it, for the run's records."""
    form = LabelTokenizer if condition == "label" else NumberTokenizer
    keep_tokenizer(run, tokenizer, configuration)
    made = parts(
        form, run, seed, corpus, cleaning, tokenizer, prepare, cache, init_from, loader, model, trainer, license
    )
    loss = ValidationLoss(made.network, made.held_out, made.dtype)
    searching = build(search, where="search")
    generation = LineGenerator(made.network, made.tokenizer, searching, 64, made.dtype, default_device())
    pairs = call(_sample, {**validation, "stores": list(made.prepared.valid.values())}, "validation")

    def validate() -> Mapping[str, float]:
        return {"loss": loss(), "exact": share_exact(generation, pairs)}

    beginning = WarmStart(run, init_from, init_optimizer, freeze)
    return train_parts(
        run, "generator", made, beginning, model, objective, optimizer, schedule, validate, configuration
    )


def _sample(stores: list[Store], max_lines: int) -> list[Pair]:
    """Pairs from all over the stores, at most `lines`."""
    if max_lines < 1:
        raise ConfigError(f"validation.max_lines: expected a positive int, got {max_lines}")
    sources, targets = stores[0].language_numbers(np.arange(1))
    direction = stores[0].languages[int(sources[0])], stores[0].languages[int(targets[0])]  # the only one
    return held_out_pairs(stores, [direction], max_lines)
