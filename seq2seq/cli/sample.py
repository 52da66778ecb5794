"""`seq2seq sample`: lines that a language model writes, from nothing or from given beginnings."""

from pathlib import Path
from typing import Literal

from seq2seq.cli.open_models import files, read_models, stream_or_file
from seq2seq.cli.paths import INPUT, OUTPUT, Place, check_places
from seq2seq.cli.prepare import Node
from seq2seq.config.build import build, call
from seq2seq.errors import ConfigError
from seq2seq.tasks.language_model.file import sample_file
from seq2seq.tasks.language_model.folder import chosen, open_language_model
from seq2seq.tasks.language_model.sampler import Sampler


def run(
    model: Path,
    language: str | None,
    num_samples: int,
    prompts: Path | None,
    output: Path | None,
    output_format: Literal["text", "json"],
    batch_size: int,
    precision: str,
    cores: int | None,
    search: Node,
) -> int:
    """Writes `count` lines a prompt."""
    if num_samples < 1:
        raise ConfigError(f"num_samples: expected a positive int, got {num_samples}")
    given: list[Place] = [INPUT] if str(prompts) == "-" else [*files(prompts)]
    check_places({"prompts": given, "model": read_models(model)}, {"output": stream_or_file(output, OUTPUT)})
    parts = {"search": build(search, where="search"), "batch_size": batch_size}
    sampler: Sampler = call(Sampler, {**open_language_model(model, precision, cores), **parts})
    sample_file(sampler, chosen(language, sampler.languages), num_samples, prompts, output, output_format)
    return 0
