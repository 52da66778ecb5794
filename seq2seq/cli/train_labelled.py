"""What the commands that train on labelled text share: their parts, and held-out batches."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from seq2seq.cli.model_facts import Facts, model_facts
from seq2seq.cli.objective import build_objective
from seq2seq.cli.prepare import Node, say
from seq2seq.cli.train_job import check_run_places, checked_text, corpus_with_valid, new_network, train
from seq2seq.cli.warm_start import WarmStart
from seq2seq.config.build import build, build_all, call
from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.dataset.prepare_labelled import LabelledCorpus, prepare_labelled
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.loader import Loader
from seq2seq.data.tokenizer.labelled_tokenizer import LabelledTokenizer, NamedTokenizer
from seq2seq.device import precision, tune_memory
from seq2seq.tasks.labelling.labelling_folder import save
from seq2seq.training.distributed.process_group import process_group
from seq2seq.training.settings import Settings

Form = TypeVar("Form", bound=LabelledTokenizer)


@dataclass(frozen=True)
class Parts(Generic[Form]):
    """What a run is assembled from."""

    settings: Settings
    prepared: PreparedCorpus
    tokenizer: Form
    reader: "functools.partial[Loader]"
    network: Any
    dtype: torch.dtype
    facts: Facts

    def held_out(self) -> Iterator[Batch]:
        """The batches of all validation lines, none of them too long for a batch, in their usual segmentation."""
        for store in self.prepared.valid.values():
            longest = max(store.sizes.longest_source, store.sizes.longest_target) + 1
            changes: dict[str, Any] = {"max_tokens": max(longest, self.reader.keywords["max_tokens"]), "prefetch": 0}
            if "sampled_sides" in self.reader.keywords:
                changes["sampled_sides"] = []
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
        "fingerprints": checked_text(LabelledCorpus(text, form.text_first), run, settings),
    }
    prepared, made = call(prepare_labelled, arguments, "prepare")
    network = new_network(model, made.facts, seed, prepared.counts)
    reader: functools.partial[Loader] = build(loader, {"tokenizer": made}, "loader")
    facts = model_facts(corpus, text, prepared, made.text, license)
    return Parts(settings, prepared, made, reader, network, precision(settings.precision), facts)


def train_parts(
    run: Path,
    kind: str,
    parts: Parts[Any],
    beginning: WarmStart,
    model: Node,
    objective: Node,
    optimizer: Node,
    schedule: Node,
    validate: Callable[[], Mapping[str, float]],
    configuration: Node,
) -> int:
    """Trains into the folder `run`, or resumes there; its model folder is of the `kind`."""

    def export(
        folder: Path, weights: Mapping[str, Tensor], scores: Mapping[str, float], spent: Mapping[str, float | int]
    ) -> None:
        parts.network.load_state_dict(weights)
        about_it = {**parts.facts, "training": dict(spent)}
        save(folder, kind, parts.network, model, parts.tokenizer, {"valid": dict(scores)}, about_it)

    labels = parts.tokenizer.labels if isinstance(parts.tokenizer, NamedTokenizer) else None
    batches, aim = parts.reader(store=parts.prepared.train), build_objective(objective)
    with process_group(parts.settings.timeout) as group:
        optimizing = beginning.optimizer_for(group, parts.network, kind, model, parts.tokenizer.text, labels, optimizer)
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
            group,
        )
