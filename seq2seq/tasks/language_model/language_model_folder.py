"""A language model's folder (seq2seq/model_folder.py): model, tokenizer and the languages it knows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ModelError
from seq2seq.model_folder.config import CONFIG
from seq2seq.model_folder.folder import assemble, expect, read, write
from seq2seq.network.language_model import LanguageModel

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
    """Writes a language model's folder whole; `node` builds `model` once the tokenizer's size is added.

    `about`: what else the card shall tell.
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
