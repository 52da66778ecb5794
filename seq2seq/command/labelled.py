"""What the commands that train on labelled text share: their parts, and held-out batches."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from seq2seq.command.about import Facts, about
from seq2seq.command.beginning import Beginning
from seq2seq.command.objective import built_objective
from seq2seq.command.prepare import Node, say
from seq2seq.command.training import check_run_places, checked_text, corpus_with_valid, new_network, train
from seq2seq.config import build, build_all, call
from seq2seq.data.batch import Batch
from seq2seq.data.labelled import Labelled, prepare_labelled
from seq2seq.data.labelled_tokenizer import LabelledTokenizer, NamedTokenizer
from seq2seq.data.loader import Loader
from seq2seq.data.prepare import Prepared
from seq2seq.device import precision, tune_memory
from seq2seq.labelling.model_folder import save
from seq2seq.training.settings import Settings
from seq2seq.training.team import joined

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
    facts: Facts

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
    run: Path,
    seed: int,
    corpus: Node,
    cleaning: Node,
    tokenizer: Node,
    prepare: Node,
    cache: Path,
    init_from: Path | None,
    loader: Node,
    model: Node,
    trainer: Node,
    license: str | None,
) -> Parts[Form]:
    """Builds them, and prepares of the corpus what is not prepared yet."""
    tune_memory()
    text = corpus_with_valid(corpus)
    check_run_places(text, run, cache, tokenizer, init_from)
    settings: Settings = build(trainer, where="trainer")
    arguments = {
        **prepare,
        "corpus": text,
        "form": form,
        "cleaning": build_all(cleaning, "cleaning"),
        "tokenizer": build(tokenizer, where="tokenizer"),
        "cache": cache,
        "report": say,
        "fingerprints": checked_text(Labelled(text, form.text_first), run, settings),
    }
    prepared, made = call(prepare_labelled, arguments, "prepare")
    network = new_network(model, made.facts, seed, prepared.counts)
    reader: functools.partial[Loader] = build(loader, {"tokenizer": made}, "loader")
    facts = about(corpus, text, prepared, made.text, license)
    return Parts(settings, prepared, made, reader, network, precision(settings.precision), facts)


def train_parts(
    run: Path,
    kind: str,
    parts: Parts[Any],
    beginning: Beginning,
    model: Node,
    objective: Node,
    optimizer: Node,
    schedule: Node,
    validate: Callable[[], Mapping[str, float]],
    configuration: Node,
) -> int:
    """Trains into the folder `run`, or goes on there; its model folder is of the `kind`."""

    def export(
        folder: Path, weights: Mapping[str, Tensor], scores: Mapping[str, float], spent: Mapping[str, float | int]
    ) -> None:
        parts.network.load_state_dict(weights)
        about_it = {**parts.facts, "training": dict(spent)}
        save(folder, kind, parts.network, model, parts.tokenizer, {"valid": dict(scores)}, about_it)

    labels = parts.tokenizer.labels if isinstance(parts.tokenizer, NamedTokenizer) else None
    batches, aim = parts.reader(store=parts.prepared.train), built_objective(objective)
    with joined(parts.settings.timeout) as team:
        optimizing = beginning.of(team, parts.network, kind, model, parts.tokenizer.text, labels, optimizer)
        return train(
            run,
            parts.settings,
            parts.network,
            aim,
            batches,
            optimizing,
            schedule,
            validate,
            export,
            configuration,
            parts.prepared.fingerprint,
            team,
        )
