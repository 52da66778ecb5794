"""`seq2seq train`: assembles data, network, training, translation and evaluation into one run."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

from torch import Tensor

from seq2seq.cli.model_facts import model_facts
from seq2seq.cli.prepare import Node, prepared_corpus, say
from seq2seq.cli.train_job import TrainJob, build_objective, checked_text
from seq2seq.config.build import build, build_all, call
from seq2seq.data.corpus.base import Pair
from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.loader import Loader
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import default_device, precision
from seq2seq.errors import ConfigError
from seq2seq.evaluation.evaluate import validation_scores, validation_signatures
from seq2seq.evaluation.metric import missing_tokenizers
from seq2seq.evaluation.validation_text import automatic_metric, held_out_pairs
from seq2seq.network.model import Model
from seq2seq.training.distributed.process_group import process_group
from seq2seq.training.settings import AUTO, Settings
from seq2seq.training.validation import ValidationLoss
from seq2seq.translation.checks.completeness import LengthsOf, learn_lengths, with_attention
from seq2seq.translation.checks.language_id import learn_languages
from seq2seq.translation.checks.usage import learn_usage
from seq2seq.translation.folder import save
from seq2seq.translation.stages.passthrough import translates_letterless
from seq2seq.translation.translator import Translator


@dataclass(frozen=True, kw_only=True)
class TrainTranslator(TrainJob):
    """A training of a translator."""

    kind: ClassVar[str] = "translator"

    loader: Node
    augmentation: Node
    search: Node
    translator: Node
    validation: Node

    def train(self) -> int:
        text, settings = self.checked()
        _check(text.directions)
        fingerprints = checked_text(text, self.run, settings)
        prepared = prepared_corpus(text, self.cleaning, self.tokenizer, self.prepare, self.cache, fingerprints)
        sample = {"stores": list(prepared.valid.values()), "directions": text.directions}
        pairs: list[Pair] = call(held_out_pairs, {**self.validation, **sample}, "validation")
        settings = _with_metric(settings, pairs)
        sizes = dict(zip(("source_vocabulary", "target_vocabulary"), prepared.tokenizer.sizes, strict=True))
        network = cast(Model, self.new_network(sizes, prepared.counts))
        beginning = self.warm_start()
        with process_group(settings.timeout) as group:
            optimizer = beginning.optimizer_for(
                group, network, self.kind, self.model, prepared.tokenizer, None, self.optimizer
            )
            reader: functools.partial[Loader] = build(self.loader, {"tokenizer": prepared.tokenizer}, "loader")
            noises = build_all(self.augmentation, "augmentation")
            lengths = learn_lengths(prepared.train)
            translate = self._translator(network, prepared.tokenizer, text.directions, lengths, settings)
            loss = ValidationLoss(network, lambda: _held_out(reader, prepared), precision(settings.precision))

            def validate() -> Mapping[str, float]:
                return {"loss": loss(), **validation_scores(translate, pairs)}

            facts = model_facts(self.corpus, text, prepared, prepared.tokenizer, self.license)
            export = _export(network, self.model, prepared, text.directions, lengths, facts)
            aim = build_objective(self.objective, prepared.tokenizer)
            batches, data = reader(store=prepared.train, noises=noises), prepared.fingerprint
            return self.fit(settings, network, aim, batches, optimizer, validate, export, data, group)

    def _translator(
        self,
        network: Model,
        tokenizer: Tokenizer,
        directions: list[tuple[str, str]],
        lengths: LengthsOf,
        settings: Settings,
    ) -> Translator:
        """What translates the held-out text."""
        parts = {
            "model": network,
            "tokenizer": tokenizer,
            "search": build(self.search, where="search"),
            "directions": directions,
            "lengths": lengths,
            "dtype": precision(settings.precision),
            "device": default_device(),
        }
        translator: Translator = build(self.translator, parts, "translator")()
        return translator


run = TrainTranslator


def _export(
    network: Model,
    node: Node,
    prepared: PreparedCorpus,
    directions: list[tuple[str, str]],
    lengths: LengthsOf,
    facts: Mapping[str, Any],
) -> Callable[[Path, Mapping[str, Tensor], Mapping[str, float], Mapping[str, float | int]], None]:
    """What writes the model folder, given its place, weights, scores, and what they cost."""
    signatures = validation_signatures(directions)
    letterless = [list(direction) for direction in translates_letterless(prepared.train)]
    usage = learn_usage(prepared.train).to_json()
    languages = learn_languages(prepared.train, prepared.tokenizer)

    def export(
        folder: Path, weights: Mapping[str, Tensor], scores: Mapping[str, float], spent: Mapping[str, float | int]
    ) -> None:
        network.load_state_dict(weights)
        content = {**facts, "letterless": letterless, "usage": usage, "training": {**spent, "signatures": signatures}}
        usual = with_attention(lengths, network, prepared.train, prepared.tokenizer)
        save(folder, network, node, prepared.tokenizer, directions, {"valid": dict(scores)}, content, languages, usual)

    return export


def _with_metric(settings: Settings, pairs: list[Pair]) -> Settings:
    """The settings with the metric that `trainer.metric=auto` means for this validation text; prints which and why."""
    for message in missing_tokenizers([pair.target_language for pair in pairs]):
        say(message)
    if settings.metric != AUTO:
        return settings
    metric, reason = automatic_metric(pairs)
    say(f"validation is judged by {metric}: {reason}")
    return replace(settings, metric=metric)


def _check(directions: list[tuple[str, str]]) -> None:
    """Raises ConfigError for a language that is to be translated into itself."""
    if alone := [source for source, target in directions if source == target]:
        language = alone[0]
        raise ConfigError(
            f"corpus.directions: {language} by itself has no translation: name directions like {language}-xx, or learn "
            "the language with seq2seq train_language_model"
        )


def _held_out(reader: "functools.partial[Loader]", prepared: PreparedCorpus) -> Iterator[Batch]:
    """The batches of all validation pairs, none of them too long for a batch."""
    for store in prepared.valid.values():
        longest = max(store.sizes.longest_source, store.sizes.longest_target) + 1
        tokens = max(longest, reader.keywords["max_tokens"])
        yield from reader(store=store, max_tokens=tokens, sampled_sides=[], prefetch=0).batches(epoch=0)
