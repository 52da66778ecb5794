"""A translator's model folder: model, tokenizer and the directions it was trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ModelError
from seq2seq.model_folder.config import CONFIG
from seq2seq.model_folder.folder import assemble, expect, read, write
from seq2seq.network.model import Model
from seq2seq.translation.checks.completeness import LengthsOf, from_json, to_json
from seq2seq.translation.checks.language_id import LanguageIdentifier
from seq2seq.translation.checks.usage import Usage, usage_from_json
from seq2seq.translation.shortlist.shortlist import Shortlist

KIND = "translator"


class TranslatorFolder(NamedTuple):
    """What a translator's folder holds: `node` is the resolved model node with its vocabulary sizes."""

    model: Model
    tokenizer: Tokenizer
    directions: list[tuple[str, str]]
    node: dict[str, Any]
    scores: dict[str, Any]
    toolkit: str
    languages: LanguageIdentifier | None
    lengths: LengthsOf
    letterless: list[tuple[str, str]] | None
    shortlist: Shortlist | None
    usage: Usage


def save(
    folder: Path,
    model: Model,
    node: Mapping[str, Any],
    tokenizer: Tokenizer,
    directions: Sequence[tuple[str, str]],
    scores: Mapping[str, Any],
    about: Mapping[str, Any] | None = None,
    languages: LanguageIdentifier | None = None,
    lengths: LengthsOf | None = None,
) -> None:
    """Writes a translator's model folder atomically.

    `node` builds `model` once the tokenizer's sizes are added. `scores`: any JSON, `{"valid": {"bleu": 31.2}}`.
    `about`: further facts for the model card. `languages`: detects translations in the wrong language. `lengths`:
    statistics of the training text.
    """
    source, target = tokenizer.sizes
    content = {
        **(about or {}),
        "languages": tokenizer.languages,
        "directions": [list(direction) for direction in directions],
        "scores": dict(scores),
        "lengths": to_json(lengths or {}),
        "model": {**node, "source_vocabulary": source, "target_vocabulary": target},
    }

    def accompany(place: Path) -> None:
        tokenizer.save(place)
        if languages is not None:
            languages.save(place)

    write(folder, KIND, model, content, accompany)


def load(folder: Path) -> TranslatorFolder:
    """Reads a translator's folder, or the one inside a run folder.

    The model is ready to translate (evaluation mode). Raises ModelError where anything is missing, damaged, of another
    format or kind, or does not fit together.
    """
    opened = read(folder, KIND)
    expect(opened, {"languages": list, "directions": list, "scores": dict})
    where = f"{opened.place / CONFIG}: directions"
    directions = opened.content["directions"]
    if not directions or not all(_is_direction(one) for one in directions):
        raise ModelError(f"{where}: expected pairs like ['en', 'de'], got {directions!r}")
    tokenizer = Tokenizer.load(opened.place)
    if (opened.node.get("source_vocabulary"), opened.node.get("target_vocabulary")) != tokenizer.sizes:
        raise ModelError(
            f"{opened.place}: the model's vocabulary sizes are not the tokenizer's {tokenizer.sizes}; copy it again"
        )
    for language in {language for direction in directions for language in direction}:
        if language not in tokenizer.languages:
            raise ModelError(f"{where}: the tokenizer does not know the language {language!r}")
    pairs = [(source, target) for source, target in directions]
    facts = opened.content["scores"], opened.content["toolkit"]
    languages = LanguageIdentifier.load(opened.place, tokenizer.sizes[1])
    lengths = from_json(opened.content, pairs, str(opened.place / CONFIG))
    shortlist = Shortlist.load(opened.place, tokenizer)
    letterless = opened.content.get("letterless")  # directions that translate lines without letters
    if letterless is not None and not (isinstance(letterless, list) and all(_is_direction(one) for one in letterless)):
        raise ModelError(f"{opened.place / CONFIG}: letterless: expected directions or null, got {letterless!r}")
    usage = usage_from_json(opened.content.get("usage"), str(opened.place / CONFIG))
    seen = None if letterless is None else [(source, target) for source, target in letterless]
    return TranslatorFolder(
        assemble(opened, Model), tokenizer, pairs, opened.node, *facts, languages, lengths, seen, shortlist, usage
    )


def _is_direction(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(language, str) for language in value)
