"""A language model's folder: model, tokenizer and the languages it knows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from seq2seq.config.typecheck import place
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import default_device, precision
from seq2seq.errors import ConfigError, ModelError
from seq2seq.model_folder.config import CONFIG
from seq2seq.model_folder.folder import assemble, expect, read, write
from seq2seq.network.ensemble import Fusion
from seq2seq.network.language_model import LanguageModel
from seq2seq.network.state import AutoregressiveModel

KIND = "language_model"


class LanguageModelFolder(NamedTuple):
    """What a language model's folder holds; `scores` are those of its validation."""

    model: LanguageModel
    tokenizer: Tokenizer
    languages: list[str]
    scores: dict[str, Any]


def save(
    folder: Path,
    model: LanguageModel,
    node: Mapping[str, Any],
    tokenizer: Tokenizer,
    languages: Sequence[str],
    scores: Mapping[str, Any],
    about: Mapping[str, Any] | None = None,
) -> None:
    """Writes a language model's folder atomically; `node` builds `model` once the tokenizer's size is added.

    `about`: further facts for the card.
    """
    _, vocabulary = tokenizer.sizes
    content = {
        **(about or {}),
        "languages": list(languages),
        "scores": dict(scores),
        "model": {**node, "vocabulary": vocabulary},
    }
    write(folder, KIND, model, content, tokenizer.save)


def load(folder: Path) -> LanguageModelFolder:
    """Reads a language model's folder, or the one inside a run folder; the model is in evaluation mode.

    Raises ModelError where anything is missing, damaged, of another format or kind, or does not fit together.
    """
    opened = read(folder, KIND)
    expect(opened, {"languages": list, "scores": dict})
    tokenizer = Tokenizer.load(opened.place)
    if opened.node.get("vocabulary") != tokenizer.sizes[1]:
        raise ModelError(
            f"{opened.place}: the model's vocabulary size is not the tokenizer's {tokenizer.sizes[1]}; copy it again"
        )
    languages = opened.content["languages"]
    if not languages or not all(language in tokenizer.languages for language in languages):
        known = ", ".join(tokenizer.languages)
        raise ModelError(f"{opened.place / CONFIG}: languages: expected some of {known}, got {languages!r}")
    return LanguageModelFolder(assemble(opened, LanguageModel), tokenizer, languages, opened.content["scores"])


def open_language_model(folder: Path, number_format: str, cores: int | None) -> dict[str, Any]:
    """The arguments `model, tokenizer, languages, dtype, device` of a Scorer or Sampler, from a run or model folder.

    cores: of the processor; None: all cores. Raises ModelError or ConfigError.
    """
    if cores is not None:
        if cores < 1:
            raise ConfigError(f"cores: expected a positive int or null, got {cores}")
        torch.set_num_threads(cores)
    device = default_device()
    dtype = precision(number_format, device)
    result = load(folder)
    return {
        "model": result.model.to(device),
        "tokenizer": result.tokenizer,
        "languages": result.languages,
        "dtype": dtype,
        "device": device,
    }


def chosen(language: str | None, known: Sequence[str]) -> str:
    """The language asked for, or the only one there is. Raises ConfigError where there are several."""
    if language is None and len(known) > 1:
        raise ConfigError(f"language: this model knows {', '.join(known)}; choose one of these")
    return language or known[0]


def fuse(
    network: AutoregressiveModel, tokenizer: Tokenizer, language_model: str | Path | None, weight: float | None
) -> AutoregressiveModel:
    """The network fused with the language model of a run folder or model folder; unchanged without one.

    Raises ModelError if that was trained with another tokenizer than the network, ConfigError if only one of folder and
    weight is given.
    """
    if language_model is None and weight is None:
        return network
    if language_model is None or weight is None:
        raise ConfigError("fusion: expected both a language_model and its weight, such as fusion.weight=0.2, or none")
    result = load(place(language_model))
    if result.tokenizer.models[-1] != tokenizer.models[-1]:
        raise ModelError(
            f"fusion.language_model: {language_model} has another tokenizer than the translator: train it with "
            "seq2seq train_language_model tokenizer=existing tokenizer.folder=(the translator's)"
        )
    return Fusion(network, result.model.to(default_device()), weight)
