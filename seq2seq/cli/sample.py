"""`seq2seq sample`: lines that a language model writes, from nothing or from given beginnings."""

from pathlib import Path
from typing import Literal

from seq2seq.cli.open_models import files, read_models, stream_or_file
from seq2seq.cli.paths import INPUT, OUTPUT, Place, check_places
from seq2seq.cli.prepare import Node
from seq2seq.config.build import build, call
from seq2seq.errors import ConfigError
from seq2seq.tasks.language_model.file import sample_file
from seq2seq.tasks.language_model.opened import chosen, opened
from seq2seq.tasks.language_model.sampler import Sampler


def run(
    model: Path,
    language: str | None,
    count: int,
    beginnings: Path | None,
    output: Path | None,
    form: Literal["text", "json"],
    batch: int,
    precision: str,
    threads: int | None,
    search: Node,
) -> int:
    """Writes `count` lines a beginning."""
    if count < 1:
        raise ConfigError(f"count: expected a positive int, got {count}")
    given: list[Place] = [INPUT] if str(beginnings) == "-" else [*files(beginnings)]
    check_places({"beginnings": given, "model": read_models(model)}, {"output": stream_or_file(output, OUTPUT)})
    parts = {"search": build(search, where="search"), "batch": batch}
    sampler: Sampler = call(Sampler, {**opened(model, precision, threads), **parts})
    sample_file(sampler, chosen(language, sampler.languages), count, beginnings, output, form)
    return 0
