"""`seq2seq generate`: a line of text for every label, or line of numbers, of a file or standard input."""

from pathlib import Path
from typing import Literal

from seq2seq.cli.open_models import Node, read_models, stream_or_file, use_threads
from seq2seq.cli.paths import INPUT, OUTPUT, check_places
from seq2seq.config.build import build
from seq2seq.tasks.labelling.file import generate_file
from seq2seq.tasks.labelling.folder import open_generation


def run(
    model: Path,
    input: Path | None,
    output: Path | None,
    output_format: Literal["text", "json"],
    batch_size: int,
    precision: str,
    cores: int | None,
    search: Node,
) -> int:
    """Writes one line of text a line; a summary goes to standard error."""
    check_places(
        {"input": stream_or_file(input, INPUT), "model": read_models(model)}, {"output": stream_or_file(output, OUTPUT)}
    )
    use_threads(cores)
    searching = build(search, where="search")
    generation = open_generation(model, searching, batch_size, precision)
    generate_file(generation, input, output, output_format)
    return 0
