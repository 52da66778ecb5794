"""`seq2seq train`: assembles data, network, training, translation and evaluation into one run."""

import functools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from seq2seq.command.prepare import Node, prepared_corpus
from seq2seq.config import build, call
from seq2seq.data.batch import Batch
from seq2seq.data.corpus.base import Corpus, Pair
from seq2seq.data.loader import Loader
from seq2seq.data.prepare import Prepared
from seq2seq.data.store import Store
from seq2seq.device import default_device, precision
from seq2seq.errors import ConfigError
from seq2seq.evaluation.metric import score
from seq2seq.network.model import Model
from seq2seq.training.settings import Settings
from seq2seq.training.trainer import Trainer
from seq2seq.training.validation import ValidationLoss
from seq2seq.translation.model_folder import save
from seq2seq.translation.translator import Translator


class Decoded:
    """The validation of really decoded text: `lines` is the most that are translated, all directions alike."""

    def __init__(self, lines: int, translator: Translator, stores: list[Store]) -> None:
        directions = translator.directions
        share = lines // len(directions)
        if share < 1:
            raise ConfigError(f"validation.lines: expected at least one a direction ({len(directions)}), got {lines}")
        self.translator = translator
        self.pairs: dict[tuple[str, str], list[Pair]] = {direction: [] for direction in directions}
        for store in stores:
            for pair in store.pairs():
                kept = self.pairs[pair.source_language, pair.target_language]
                if len(kept) < share:
                    kept.append(pair)

    def __call__(self) -> float:
        """BLEU of raw text, averaged over the directions."""
        scores = []
        for (source, target), pairs in self.pairs.items():
            if pairs:
                found = self.translator.translate([pair.source for pair in pairs], source, target)
                scores.append(score([one.text for one in found], [pair.target for pair in pairs], target).bleu)
        return sum(scores) / max(1, len(scores))


def run(
    run: str,
    seed: int,
    corpus: Node,
    cleaning: Node,
    tokenizer: Node,
    prepare: Node,
    cache: str,
    loader: Node,
    model: Node,
    optimizer: Node,
    schedule: Node,
    trainer: Node,
    search: Node,
    translator: Node,
    validation: Node,
    configuration: Node,
) -> int:
    """Trains into the folder `run`, or goes on there; `configuration` is all of it, for the run's records."""
    text: Corpus = build(corpus, where="corpus")
    settings: Settings = build(trainer, where="trainer")
    if not text.valid:
        raise ConfigError("corpus.valid: training needs held-out text to choose the best model: name a split")
    prepared = prepared_corpus(text, cleaning, tokenizer, prepare, cache)
    torch.manual_seed(seed)
    network = _network(model, prepared)
    reader: functools.partial[Loader] = build(loader, {"tokenizer": prepared.tokenizer}, "loader")
    number_format = precision(settings.precision)
    loss = ValidationLoss(network, lambda: _held_out(reader, prepared), number_format)
    parts = {"model": network, "tokenizer": prepared.tokenizer, "search": build(search, where="search")}
    limits = {"directions": text.directions, "dtype": number_format, "device": default_device()}
    translate: Translator = build(translator, {**parts, **limits}, "translator")()
    bleu = call(Decoded, {**validation, "translator": translate, "stores": list(prepared.valid.values())}, "validation")

    def export(folder: Path, weights: Mapping[str, Tensor], scores: Mapping[str, float]) -> None:
        network.load_state_dict(weights)
        save(folder, network, model, prepared.tokenizer, text.directions, {"valid": dict(scores)})

    outcome = Trainer(
        settings,
        network,
        reader(store=prepared.train),
        build(optimizer, where="optimizer"),
        build(schedule, where="schedule"),
        lambda: {"loss": loss(), "bleu": bleu()},
        export,
        Path(run),
        {key: value for key, value in configuration.items() if key != "cache"},
    ).train()
    return outcome.exit_code


def _network(model: Node, prepared: Prepared) -> Model:
    """A new network of the tokenizer's sizes."""
    source, target = prepared.tokenizer.sizes
    network: Model = build(model, {"source_vocabulary": source, "target_vocabulary": target}, "model")
    count = sum(parameter.numel() for parameter in network.parameters())
    print(f"model: {count:,} parameters; train: {prepared.counts}", file=sys.stderr)
    return network.to(default_device())


def _held_out(reader: "functools.partial[Loader]", prepared: Prepared) -> Iterator[Batch]:
    """The batches of all validation pairs, none of them too long for a batch."""
    for store in prepared.valid.values():
        longest = max(store.sizes.longest_source, store.sizes.longest_target) + 1
        tokens = max(longest, reader.keywords["tokens"])
        yield from reader(store=store, tokens=tokens, sampled=[], ahead=0).batches(epoch=0)
