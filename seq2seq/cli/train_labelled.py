"""What the commands that train on labelled text share: their parts, and held-out batches."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from seq2seq.cli.model_facts import Facts, model_facts
from seq2seq.cli.prepare import Node, say
from seq2seq.cli.train_job import TrainJob, build_objective, checked_text
from seq2seq.config.build import build, build_all, call
from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.dataset.prepare_labelled import LabelledCorpus, prepare_labelled
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.loader import Loader
from seq2seq.data.tokenizer.labelled_tokenizer import LabelledTokenizer, NamedTokenizer
from seq2seq.device import precision
from seq2seq.tasks.labelling.folder import save
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


@dataclass(frozen=True, kw_only=True)
class LabelledJob(TrainJob):
    """A training on labelled text."""

    loader: Node

    def parts(self, form: type[Form]) -> Parts[Form]:
        """Builds them, and prepares of the corpus what is not prepared yet."""
        text, settings = self.checked()
        arguments = {
            **self.prepare,
            "corpus": text,
            "form": form,
            "cleaning": build_all(self.cleaning, "cleaning"),
            "tokenizer": build(self.tokenizer, where="tokenizer"),
            "cache": self.cache,
            "report": say,
            "fingerprints": checked_text(LabelledCorpus(text, form.text_first), self.run, settings),
        }
        prepared, tokenizer = call(prepare_labelled, arguments, "prepare")
        network = self.new_network(tokenizer.facts, prepared.counts)
        reader: functools.partial[Loader] = build(self.loader, {"tokenizer": tokenizer}, "loader")
        facts = model_facts(self.corpus, text, prepared, tokenizer.text, self.license)
        return Parts(settings, prepared, tokenizer, reader, network, precision(settings.precision), facts)

    def fit_parts(self, parts: Parts[Any], validate: Callable[[], Mapping[str, float]]) -> int:
        """Trains them; the exit code."""

        def export(
            folder: Path, weights: Mapping[str, Tensor], scores: Mapping[str, float], spent: Mapping[str, float | int]
        ) -> None:
            parts.network.load_state_dict(weights)
            about_it = {**parts.facts, "training": dict(spent)}
            save(folder, self.kind, parts.network, self.model, parts.tokenizer, {"valid": dict(scores)}, about_it)

        network, tokenizer = parts.network, parts.tokenizer
        labels = tokenizer.labels if isinstance(tokenizer, NamedTokenizer) else None
        batches, aim = parts.reader(store=parts.prepared.train), build_objective(self.objective)
        beginning, data = self.warm_start(), parts.prepared.fingerprint
        with process_group(parts.settings.timeout) as group:
            optimizer = beginning.optimizer_for(
                group, network, self.kind, self.model, tokenizer.text, labels, self.optimizer
            )
            return self.fit(parts.settings, network, aim, batches, optimizer, validate, export, data, group)
