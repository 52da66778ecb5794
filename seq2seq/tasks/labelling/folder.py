"""Model folders of classifiers, taggers and generators: weights, the text's tokenizer, `labels.json`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from seq2seq.config.build import build
from seq2seq.data.tokenizer.labelled_tokenizer import (
    ClassTokenizer,
    LabelledTokenizer,
    LabelTokenizer,
    NumberTokenizer,
    TagTokenizer,
)
from seq2seq.data.tokenizer.labels import Labels
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import default_device, precision
from seq2seq.errors import ModelError
from seq2seq.model_folder.config import CONFIG
from seq2seq.model_folder.folder import StoredModel, assemble, expect, read, write
from seq2seq.network.classifier import Classifier
from seq2seq.network.generator import Generator
from seq2seq.network.tagger import Tagger
from seq2seq.search.base import Search
from seq2seq.tasks.labelling.generation import LineGenerator
from seq2seq.tasks.labelling.labeller import Labeller

KINDS: dict[str, type[nn.Module]] = {"classifier": Classifier, "tagger": Tagger, "generator": Generator}


class LabelledFolder(NamedTuple):
    """The content of a model folder of labels."""

    model: nn.Module
    tokenizer: LabelledTokenizer
    scores: dict[str, Any]


def save(
    folder: Path,
    kind: str,
    model: nn.Module,
    node: Mapping[str, Any],
    tokenizer: LabelledTokenizer,
    scores: Mapping[str, Any],
    about: Mapping[str, Any] | None = None,
) -> None:
    """Writes the folder whole; `node` builds `model` once the tokenizer's facts are added; `about`: for the card."""
    facts = {"languages": tokenizer.languages, "scores": dict(scores), "model": {**node, **tokenizer.facts}}
    content = {**(about or {}), **facts}
    write(folder, kind, model, content, tokenizer.save)


def load(folder: Path, *kinds: str) -> LabelledFolder:
    """Reads a folder of one of the kinds, or the one inside a run folder; the model is in evaluation mode.

    Raises ModelError where anything is missing, damaged, of another format or kind, or does not fit together.
    """
    opened = read(folder, *kinds)
    expect(opened, {"languages": list, "scores": dict})
    tokenizer = _tokenizer(opened)
    for key, value in tokenizer.facts.items():
        if opened.node.get(key) != value:
            raise ModelError(
                f"{opened.place / CONFIG}: model.{key}: {opened.node.get(key)!r} does not fit its files, "
                f"which need {value!r}; copy the folder again"
            )
    return LabelledFolder(assemble(opened, KINDS[opened.content["kind"]]), tokenizer, opened.content["scores"])


def open_labeller(folder: Path, labeller: Mapping[str, Any], number_format: str) -> Labeller:
    """The classifier or tagger of a folder, ready to label, on the GPU where there is one. ModelError, ConfigError.

    `labeller` is a node like that of conf/label.yaml.
    """
    device = default_device()
    dtype = precision(number_format, device)
    result = load(folder, "classifier", "tagger")
    parts = {"model": result.model.to(device), "tokenizer": result.tokenizer}
    built: Labeller = build(labeller, {**parts, "dtype": dtype, "device": device}, "labeller")()
    return built


def open_generation(folder: Path, search: Search, batch_size: int, number_format: str) -> LineGenerator:
    """The generator of a folder, ready to generate, on the GPU where there is one. Raises ModelError, ConfigError."""
    device = default_device()
    dtype = precision(number_format, device)
    result = load(folder, "generator")
    assert isinstance(result.model, Generator)
    return LineGenerator(result.model.to(device), result.tokenizer, search, batch_size, dtype, device)


def _tokenizer(opened: StoredModel) -> LabelledTokenizer:
    """The text's tokenizer with what its kind has on the other side."""
    text = Tokenizer.load(opened.place)
    [*languages, label] = opened.content["languages"] or [""]
    if languages != text.languages or not isinstance(label, str):
        raise ModelError(f"{opened.place / CONFIG}: languages: expected {text.languages} and the labels' name")
    kind = opened.content["kind"]
    if kind == "generator" and opened.node.get("condition") == "numbers":
        count = opened.node.get("conditions")
        if not isinstance(count, int):
            raise ModelError(f"{opened.place / CONFIG}: model.conditions: expected an int, got {count!r}")
        return NumberTokenizer(text, label, count)
    labels = Labels.load(opened.place)
    if kind == "generator":
        return LabelTokenizer(text, label, labels)
    return (TagTokenizer if kind == "tagger" else ClassTokenizer)(text, label, labels)
