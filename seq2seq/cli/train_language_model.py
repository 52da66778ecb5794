"""`seq2seq train_language_model`: text of one language or several becomes a model of what comes next."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from torch import Tensor

from seq2seq.cli.model_facts import model_facts
from seq2seq.cli.prepare import Node, prepared_corpus
from seq2seq.cli.train_job import TrainJob, build_objective, checked_text
from seq2seq.config.build import build
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.loader import Loader
from seq2seq.data.loader.stream import Stream
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import precision
from seq2seq.errors import ConfigError
from seq2seq.network.language_model import LanguageModel
from seq2seq.tasks.language_model.folder import save
from seq2seq.tasks.language_model.scorer import bits_per_character, characters, perplexity
from seq2seq.training.distributed.process_group import process_group
from seq2seq.training.settings import Settings
from seq2seq.training.trainable import Trainable
from seq2seq.training.truncated_bptt import TruncatedBPTT
from seq2seq.training.validation import ValidationLoss

Reading = functools.partial[Stream] | functools.partial[Loader]


@dataclass(frozen=True, kw_only=True)
class TrainLanguageModel(TrainJob):
    """Trains a language model.

    Chunks of running text are distributed over processes like batches of lines; each process carries the states of its
    own rows.
    """

    kind: ClassVar[str] = "language_model"

    reading: Node

    def train(self) -> int:
        text, settings = self.checked()
        _check(text)
        fingerprints = checked_text(text, self.run, settings)
        prepared = prepared_corpus(text, self.cleaning, self.tokenizer, self.prepare, self.cache, fingerprints)
        sizes = {"vocabulary": prepared.tokenizer.sizes[1]}
        network = cast(LanguageModel, self.new_network(sizes, _described(prepared.train)))
        beginning = self.warm_start()
        with process_group(settings.timeout) as group:
            tokenizer = prepared.tokenizer
            optimizer = beginning.optimizer_for(group, network, self.kind, self.model, tokenizer, None, self.optimizer)
            reader: Reading = build(self.reading, {"tokenizer": tokenizer}, "reading")
            running = reader.func is Stream
            parts = {"parts": settings.accumulation} if running else {}
            facts = model_facts(self.corpus, text, prepared, tokenizer, self.license)
            validate = _validation(TruncatedBPTT(network, 1) if running else network, reader, prepared, settings)
            export = _export(network, self.model, tokenizer, text.languages, facts)
            trained: Trainable = TruncatedBPTT(network, settings.accumulation) if running else network
            aim, batches = build_objective(self.objective), reader(store=prepared.train, **parts)
            data = prepared.fingerprint
            return self.fit(settings, trained, aim, batches, optimizer, validate, export, data, group)


run = TrainLanguageModel


def _export(
    network: LanguageModel, node: Node, tokenizer: Tokenizer, languages: list[str], facts: Mapping[str, Any]
) -> Callable[[Path, Mapping[str, Tensor], Mapping[str, float], Mapping[str, float | int]], None]:
    """What writes the model folder, given its place, weights, scores, and what they cost."""

    def export(
        folder: Path, weights: Mapping[str, Tensor], scores: Mapping[str, float], spent: Mapping[str, float | int]
    ) -> None:
        network.load_state_dict(weights)
        save(folder, network, node, tokenizer, languages, {"valid": dict(scores)}, {**facts, "training": dict(spent)})

    return export


def _check(text: Corpus) -> None:
    """Raises ConfigError for directions of translation."""
    if [(language, language) for language in text.languages] != sorted(text.directions):
        raise ConfigError("languages: expected languages by themselves, such as [en], not directions of translation")


def _described(store: Store) -> str:
    return f"{len(store):,} lines, {store.sizes.target_tokens + len(store):,} tokens"


def _held_out(reader: Reading, prepared: PreparedCorpus) -> Iterator[Batch]:
    """The batches of all validation text, none of whose lines is too long for a batch."""
    for store in prepared.valid.values():
        if reader.func is Stream:
            limits: dict[str, object] = {"parts": 1}
        else:
            max_tokens = max(store.sizes.longest_target + 1, reader.keywords["max_tokens"])
            limits = {"max_tokens": max_tokens, "sampled_sides": []}
        yield from reader(store=store, prefetch=0, **limits).batches(epoch=0)


def _validation(
    network: Trainable, reader: Reading, prepared: PreparedCorpus, settings: Settings
) -> Callable[[], Mapping[str, float]]:
    """The scores of all validation text."""
    loss = ValidationLoss(network, functools.partial(_held_out, reader, prepared), precision(settings.precision))
    count = characters(pair.target for store in prepared.valid.values() for pair in store.pairs())
    return lambda: _scores(loss, prepared, count)


def _scores(loss: ValidationLoss, prepared: PreparedCorpus, count: int) -> Mapping[str, float]:
    """Nats per token, perplexity and bits per character of the validation text; `count` are its characters."""
    nats = loss()
    tokens = sum(store.sizes.target_tokens + len(store) for store in prepared.valid.values())
    bits = bits_per_character(nats * tokens, count)
    return {"loss": nats, "perplexity": perplexity(nats, 1), "bits_per_character": bits}
