"""`seq2seq translate`: a file or standard input, line by line, through a trained model."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from seq2seq._version import __version__
from seq2seq.cli.open_models import (
    FusionNode,
    Node,
    direction,
    files,
    folders,
    fusion_model,
    open_translator,
    process_count,
    read_models,
    stream_or_file,
)
from seq2seq.cli.paths import INPUT, MODEL_ENDINGS, OUTPUT, check_places
from seq2seq.data.corpus.base import hash_files
from seq2seq.errors import ConfigError
from seq2seq.io.atomic import listed
from seq2seq.model_folder.config import CONFIG, SUMS, read_config
from seq2seq.model_folder.folder import find
from seq2seq.translation.file import translate_file
from seq2seq.translation.formats import Extras
from seq2seq.translation.stages.glossary import Glossary, pairs
from seq2seq.translation.stages.preprocess import TranslateOptions

USED = (
    "kind",
    "model",
    "directions",
    "languages",
    "usual_source",
    "lengths",
    "letterless",
    "usage",
)  # used of config.json
INCOMPLETE = 3  # all is written, but not all of it is what was asked for


def run(
    model: Path | list[Path],
    weights: list[float] | None,
    fusion: FusionNode,
    coverage_penalty: float,
    source: str | None,
    target: str | None,
    input: Path | None,
    output: Path | None,
    input_format: Literal["text", "json"],
    output_format: Literal["text", "tsv", "json"],
    details: list[Literal["tokens", "alignments"]],
    alignments: Path | None,
    glossary: Path | None,
    dictionary: Path | None,
    status: Path | None,
    errors: Literal["replace", "strict"],
    resume: bool,
    precision: str,
    cores: int | None,
    search: Node,
    translator: Node,
    configuration: Node,
) -> int:
    """Writes one translation a line; a summary goes to standard error. The exit code is 3 where something was lost."""
    language_model = fusion_model(fusion)
    check_places(
        {
            "input": stream_or_file(input, INPUT),
            "model": read_models(model, language_model),
            "glossary": files(glossary),
            "dictionary": files(dictionary),
        },
        {"output": stream_or_file(output, OUTPUT), "status": files(status), "alignments": files(alignments)},
        in_place=[("input", "output")],
    )
    processes = process_count(cores)
    chosen = open_translator(model, weights, search, translator, precision, fusion, coverage_penalty)
    asked_direction = direction(source, target, chosen.directions)
    if details and output_format != "json":
        raise ConfigError(f"details: output_format={output_format} has no room for them: choose output_format=json")
    extras = Extras(input_format, alignments, _options(details, glossary, dictionary))
    key = None
    if resume and input is not None and input.is_file():
        settings = {name: value for name, value in configuration.items() if name not in ("cores", "resume")}
        key = depends_on([*folders(model), *files(language_model)], files(input, glossary, dictionary), settings)
    alone = input is None and sys.stdin.isatty()  # lines typed at a terminal are translated one by one
    with chosen.in_processes(1 if alone else processes):
        tally = translate_file(chosen, *asked_direction, input, output, output_format, status, key, errors, extras)
    return INCOMPLETE if tally.lost else 0


def _options(details: Sequence[str], glossary: Path | None, dictionary: Path | None) -> TranslateOptions:
    """What is asked of each line. Raises DataError for a file that is none."""
    return TranslateOptions(
        "tokens" in details,
        "alignments" in details,
        {} if dictionary is None else pairs(dictionary, "word", "what takes its place"),
        None if glossary is None else Glossary.load(glossary),
    )


def depends_on(folders: list[Path], given_files: list[Path], given: Node) -> str:
    """All that the output depends on: what is asked for, and the content of the given files and of the models.

    Not the model's card, nor the scores that `evaluate` adds to it, nor what else lies in its folder.
    """
    used = []
    for folder in map(find, folders):
        config = read_config(folder)
        sums = {name: one for name, one in config[SUMS].items() if name != CONFIG}  # checked when it was opened
        files = [path for path in listed(folder) if path.suffix in MODEL_ENDINGS]
        used.append(
            [{name: config.get(name) for name in USED}, sums or {path.name: hash_files([path]) for path in files}]
        )
    return json.dumps([__version__, given, [hash_files([path]) for path in given_files], used], sort_keys=True)
