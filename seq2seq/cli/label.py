"""`seq2seq label`: a file or standard input, line by line, through a trained classifier or tagger."""

import json
import sys
from pathlib import Path
from typing import Literal

from seq2seq.cli.open_models import Node, files, read_models, stream_or_file, use_threads
from seq2seq.cli.paths import INPUT, OUTPUT, check_places
from seq2seq.errors import ConfigError
from seq2seq.io.text import writing
from seq2seq.tasks.labelling.file import label_file
from seq2seq.tasks.labelling.folder import open_labeller
from seq2seq.tasks.labelling.label_metrics import Agreement


def run(
    model: Path,
    input: Path | None,
    output: Path | None,
    output_format: Literal["text", "json"],
    references: Path | None,
    results: Path | None,
    labeller: Node,
    precision: str,
    cores: int | None,
) -> int:
    """Writes one line of labels a line; a summary, and agreement with references, go to standard error."""
    if results is not None and references is None:
        raise ConfigError("results: needs references=, a file with the correct labels")
    check_places(
        {"input": stream_or_file(input, INPUT), "references": files(references), "model": read_models(model)},
        {"output": stream_or_file(output, OUTPUT), "results": files(results)},
    )
    use_threads(cores)
    opened = open_labeller(model, labeller, precision)
    agreement = label_file(opened, input, output, output_format, references)
    if agreement is not None:
        print(_told(agreement, opened.tags), file=sys.stderr)
        if results is not None:
            with writing(results) as write:
                write([json.dumps(agreement._asdict(), indent=2, ensure_ascii=False)])
    return 0


def _told(agreement: Agreement, tags: bool) -> str:
    """`accuracy 97.3 %, macro F1 96.9 % over 1,000 labels`, of a tagger with whole lines too."""
    lines = f", whole lines {agreement.lines:.2f} %" if tags else ""
    scores = f"accuracy {agreement.accuracy:.2f} %, macro F1 {agreement.macro_f1:.2f} %{lines}"
    return f"{scores} over {agreement.labels:,} labels"
