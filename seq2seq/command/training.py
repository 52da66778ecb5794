"""What the commands that train on labelled text share: their parts, held-out batches, and the run itself."""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from seq2seq.command.prepare import Node
from seq2seq.config import build, build_all, call
from seq2seq.data.batch import Batch
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.labelled import prepare_labelled
from seq2seq.data.labelled_tokenizer import LabelledTokenizer
from seq2seq.data.loader import Loader
from seq2seq.data.prepare import Prepared
from seq2seq.device import default_device, precision, tune_memory
from seq2seq.errors import ConfigError
from seq2seq.labelling.model_folder import save
from seq2seq.training.settings import Settings
from seq2seq.training.trainer import Trainer

Form = TypeVar("Form", bound=LabelledTokenizer)


@dataclass(frozen=True)
class Parts(Generic[Form]):
    """What a run is assembled from."""

    settings: Settings
    prepared: Prepared
    tokenizer: Form
    reader: "functools.partial[Loader]"
    network: Any
    dtype: torch.dtype

    def held_out(self) -> Iterator[Batch]:
        """The batches of all validation lines, none of them too long for a batch, in their usual segmentation."""
        for store in self.prepared.valid.values():
            longest = max(store.sizes.longest_source, store.sizes.longest_target) + 1
            changes: dict[str, Any] = {"tokens": max(longest, self.reader.keywords["tokens"]), "ahead": 0}
            if "sampled" in self.reader.keywords:
                changes["sampled"] = []
            yield from self.reader(store=store, **changes).batches(epoch=0)


def parts(
    form: type[Form],
    seed: int,
    corpus: Node,
    cleaning: Node,
    tokenizer: Node,
    prepare: Node,
    cache: str,
    loader: Node,
    model: Node,
    trainer: Node,
) -> Parts[Form]:
    """Builds them, and prepares of the corpus what is not prepared yet."""
    tune_memory()
    text: Corpus = build(corpus, where="corpus")
    settings: Settings = build(trainer, where="trainer")
    if not text.valid:
        raise ConfigError("corpus.valid: training needs held-out text to choose the best model: name a split")
    arguments = {
        **prepare,
        "corpus": text,
        "form": form,
        "cleaning": build_all(cleaning, "cleaning"),
        "tokenizer": build(tokenizer, where="tokenizer"),
        "cache": Path(cache),
        "report": lambda message: print(message, file=sys.stderr),
    }
    prepared, made = call(prepare_labelled, arguments, "prepare")
    torch.manual_seed(seed)
    network: nn.Module = build(model, made.facts, "model")
    count = sum(parameter.numel() for parameter in network.parameters())
    print(f"model: {count:,} parameters; train: {prepared.counts}", file=sys.stderr)
    reader: functools.partial[Loader] = build(loader, {"tokenizer": made}, "loader")
    return Parts(settings, prepared, made, reader, network.to(default_device()), precision(settings.precision))


def train(
    run: str,
    kind: str,
    parts: Parts[Any],
    model: Node,
    optimizer: Node,
    schedule: Node,
    validate: Callable[[], Mapping[str, float]],
    configuration: Node,
) -> int:
    """Trains into the folder `run`, or goes on there; its model folder is of the `kind`."""

    def export(folder: Path, weights: Mapping[str, Tensor], scores: Mapping[str, float]) -> None:
        parts.network.load_state_dict(weights)
        save(folder, kind, parts.network, model, parts.tokenizer, {"valid": dict(scores)})

    outcome = Trainer(
        parts.settings,
        parts.network,
        parts.reader(store=parts.prepared.train),
        build(optimizer, where="optimizer"),
        build(schedule, where="schedule"),
        validate,
        export,
        Path(run),
        {key: value for key, value in configuration.items() if key != "cache"},
    ).train()
    return outcome.exit_code
