"""Labelling, or generating from, a whole file or stream, and one line about what became of its lines."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from seq2seq.io.text import FIRST_CHUNK, LARGEST_CHUNK, reading, writing
from seq2seq.tasks.labelling.generation import Generated, GenerationStatus, LineGenerator
from seq2seq.tasks.labelling.label_metrics import Agreement, Reference
from seq2seq.tasks.labelling.labeller import Labeller, Labelling

Form = Literal["text", "json"]
Line = TypeVar("Line", Labelling, Generated)


def label_file(
    labeller: Labeller, input: Path | None, output: Path | None, output_format: Form, references: Path | None
) -> Agreement | None:
    """Labels every line of `input` (none: standard input) into `output` (none: standard output).

    `form`: `text` writes a label a line, or a tagger's labels by spaces; `json` an object a line with probabilities.
    `reference`: a file of right labels, line by line; how well they agree is returned. Raises DataError where a file
    cannot be read or written, or the reference has other lines.
    """
    written = _label_text if output_format == "text" else _as_json(labeller)
    if references is None:
        _through(labeller.label_chunks, written, input, output)
        return None
    compared = Reference(labeller, references)
    _through(compared.label_chunks, written, input, output)
    return compared.agreement()


def generate_file(generation: LineGenerator, input: Path | None, output: Path | None, output_format: Form) -> None:
    """Writes a line of text for every label, or line of numbers, of `input`; files and `form` as above."""
    written = _generated_text if output_format == "text" else _generated_json
    counts = _through(generation.generate_chunks, written, input, output)
    if counts[GenerationStatus.UNKNOWN]:
        print(f"unknown: {generation.tokenizer.expected}", file=sys.stderr)


def _through(
    work: Callable[[Iterable[Sequence[str]]], Iterator[list[Line]]],
    written: Callable[[Line], str],
    input: Path | None,
    output: Path | None,
) -> Counter[str]:
    """Chunks are written as they are ready; a file gets its name when it is complete."""
    counts: Counter[str] = Counter()
    first = FIRST_CHUNK if output is None else LARGEST_CHUNK  # a file is read only when it is complete
    began = time.monotonic()
    with reading(input) as lines, writing(output) as write:
        for done in work(lines.chunks(first)):
            write(map(written, done))
            counts.update(str(one.status) for one in done)
    seconds = time.monotonic() - began
    named = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    invalid = f"; {lines.invalid:,} held bytes that are no UTF-8, read as U+FFFD" if lines.invalid else ""
    rate = counts.total() / max(seconds, 1e-9)
    print(f"{counts.total():,} lines in {seconds:.1f} s ({rate:,.0f} lines/s): {named}{invalid}", file=sys.stderr)
    return counts


def _label_text(labelling: Labelling) -> str:
    return " ".join(labelling.labels)


def _as_json(labeller: Labeller) -> Callable[[Labelling], str]:
    """Of a classifier the probability of every label, of a tagger that of the label each token got."""
    names = labeller.tokenizer.labels.names

    def written(one: Labelling) -> str:
        result: dict[str, object] = {"status": one.status}
        if labeller.tags:
            result |= {"labels": one.labels, "probabilities": [round(max(row), 4) for row in one.probabilities]}
        elif one.labels:
            pairs = zip(names, one.probabilities[0], strict=True)
            result |= {"label": one.labels[0], "probabilities": {name: round(value, 4) for name, value in pairs}}
        return json.dumps(result, ensure_ascii=False)

    return written


def _generated_text(generated: Generated) -> str:
    return generated.text


def _generated_json(generated: Generated) -> str:
    result = {"text": generated.text, "score": round(generated.score, 4), "status": generated.status}
    best = [[text, round(score, 4)] for text, score in generated.best]
    return json.dumps({**result, "best": best}, ensure_ascii=False)
