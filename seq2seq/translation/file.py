"""Translating a whole file or stream, with progress, and one line about what became of its lines."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seq2seq.translation.lines import FIRST_CHUNK, LARGEST_CHUNK, reading, writing
from seq2seq.translation.translator import Status, Translation, Translator


def translate_file(
    translator: Translator,
    source: str,
    target: str,
    input: Path | None,
    output: Path | None,
    form: Literal["text", "json"],
) -> Counter[Status]:
    """Translates every line of `input` (none: standard input) into `output` (none: standard output).

    `form`: `text` writes the translations, `json` an object a line with text, score, status and the search's best
    translations. Chunks are written as they are ready; a file gets its name when it is complete. Standard error gets a
    progress bar where it is a terminal, and one line of counts at the end, which are returned too.
    Raises ConfigError for a direction the model does not know, DataError where a file cannot be read or written.
    """
    translator.check(source, target)
    written = _as_json if form == "json" else _as_text
    counts: Counter[Status] = Counter()
    first = FIRST_CHUNK if output is None else LARGEST_CHUNK  # nobody reads a file before it is complete
    began = time.monotonic()
    with reading(input) as lines, writing(output) as write, _progress(input) as advance:
        for translations in translator.translate_chunks(lines.chunks(first), source, target):
            write(map(written, translations))
            counts.update(translation.status for translation in translations)
            advance(len(translations))
    print(summary(counts, lines.invalid, time.monotonic() - began), file=sys.stderr)
    return counts


def summary(counts: Counter[Status], invalid: int, seconds: float) -> str:
    """One line: `1,000 lines in 9.1 s (110 lines/s): 996 ok, 3 blank, 1 split; 2 held bytes that are no UTF-8`."""
    lines = counts.total()
    named = ", ".join(f"{counts[status]:,} {status}" for status in Status if counts[status])
    text = (
        f"{lines:,} {'line' if lines == 1 else 'lines'} in {seconds:.1f} s ({lines / max(seconds, 1e-9):,.0f} lines/s)"
    )
    text += f": {named}" if named else ""
    return text + (f"; {invalid:,} held bytes that are no UTF-8, read as U+FFFD" if invalid else "")


def _as_text(translation: Translation) -> str:
    return translation.text


def _as_json(translation: Translation) -> str:
    return json.dumps(
        {
            "text": translation.text,
            "score": round(translation.score, 4),
            "status": translation.status,
            "best": [[text, round(score, 4)] for text, score in translation.best],
        },
        ensure_ascii=False,
    )


@contextmanager
def _progress(input: Path | None) -> Iterator[Callable[[int], None]]:
    """A function that is told of finished lines; shows a bar where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda lines: None
        return
    columns = (TextColumn("translating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=_count(input))
        yield lambda lines: bar.advance(task, lines)


def _count(input: Path | None) -> int | None:
    """The number of lines of a file; unknown for a stream."""
    if input is None or not input.is_file():
        return None
    with reading(input) as lines:
        return sum(len(chunk) for chunk in lines.chunks(LARGEST_CHUNK))
