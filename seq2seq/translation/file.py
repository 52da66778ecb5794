"""Translating a whole file or stream, with progress, and one line about what became of its lines."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seq2seq.io.journal import Done, Journal, under_way
from seq2seq.io.text import FIRST_CHUNK, FIRST_OF_FILE, LARGEST_CHUNK, PACKED, Errors, descriptor, reading, writing
from seq2seq.translation.formats import Extras, Form, format_translation, parse_lines, pharaoh, status_records
from seq2seq.translation.line import Line
from seq2seq.translation.translation import LineCounts, Translation
from seq2seq.translation.translator import Translator

NOTHING = Extras()


def translate_file(
    translator: Translator,
    source: str,
    target: str,
    input: Path | None,
    output: Path | None,
    output_format: Form,
    status: Path | None,
    key: str | None,
    errors: Errors = "replace",
    extras: Extras = NOTHING,
) -> LineCounts:
    """Translates every line of `input` (None: standard input) into `output` (None: standard output).

    `output_format`: see `format_translation`. `extras`: further input and output files. `status`: a file with one JSON
    object per line. Files get their names when they are complete. With a `key`, a hash of everything the output depends
    on, a call that was killed is resumed by the next one. Standard error gets a progress bar if it is a terminal, and
    the counts, which are also returned. `errors`: handling of invalid UTF-8 (see LineReader). Raises ConfigError for a
    direction the model does not know, DataError for a file that cannot be read or written.
    """
    source, target = translator.direction(source, target)
    first = FIRST_CHUNK if output is None else FIRST_OF_FILE
    others = [path for path in (status, extras.alignments) if path is not None]
    began = time.monotonic()
    with reading(input, errors) as lines, _sink([output, *others], key) as sink, _progress(input) as advance:
        done = sink.done
        tally = LineCounts(done.statuses, done.besides)
        if done.lines:
            print(f"{output}: resuming after line {done.lines:,}", file=sys.stderr)
            advance(done.lines)
        given: deque[Sequence[str | Line]] = deque()
        rest = _rest(lines.chunks(first), done.lines)
        chunks = _noted(parse_lines(rest, extras.reading, str(input or "standard input"), done.lines), given)
        for translations in translator.translate_chunks(chunks, source, target, extras.all_options):
            translated = _translated(translations, output_format, done.lines)
            reported = status_records(done.lines, given.popleft(), translations)  # generated as it is read
            side_files = [(status, reported), (extras.alignments, _aligned(translations))]
            tally.add(translations)
            texts = [translated, *(text for path, text in side_files if path is not None)]
            done = sink.write(texts, Done(tally.lines, [], *tally.names()))
            advance(len(translations))
    seconds = time.monotonic() - began
    print(tally.summary(lines, seconds, translator.searcher.languages is not None), file=sys.stderr)
    return tally


def _translated(translations: Sequence[Translation], output_format: Form, before: int) -> Iterable[str]:
    """The translations in the output format; `before` lines precede them."""
    return (format_translation(one, output_format, number) for number, one in enumerate(translations, before + 1))


def _aligned(translations: Sequence[Translation]) -> Iterable[str]:
    """The word alignments of the best translations; an empty line where there is none."""
    return (pharaoh(one.best[0].alignment or () if one.best else ()) for one in translations)


def _rest(chunks: Iterable[list[str]], count: int) -> Iterator[list[str]]:
    """The chunks without their first `count` lines."""
    for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:]
        count = max(0, count - len(chunk))


def _noted(
    chunks: Iterable[Sequence[str | Line]], given: deque[Sequence[str | Line]]
) -> Iterator[Sequence[str | Line]]:
    """The same chunks, each left in `given` for when its translations come."""
    for chunk in chunks:
        given.append(chunk)
        yield chunk


class _Plain:
    """Files that are written from their beginning, or streams."""

    def __init__(self, writers: Sequence[Callable[[Iterable[str]], None]]) -> None:
        self.done = Done(0, [], {}, {})
        self.writers = writers

    def write(self, texts: Iterable[Iterable[str]], done: Done) -> Done:
        """Lines for each of them."""
        for write, lines in zip(self.writers, texts, strict=True):
            write(lines)
        return done


@contextmanager
def _sink(paths: Sequence[Path | None], key: str | None) -> "Iterator[Journal | _Plain]":
    """The writer of translations and their side files: a journal if the call can be resumed."""
    plain = [path for path in paths if path is not None and path.suffix not in PACKED and _is_file(path)]
    if key is not None and len(plain) == len(paths):
        with under_way(plain, key) as journal:
            yield journal
        return
    with ExitStack() as stack:
        yield _Plain([stack.enter_context(writing(path)) for path in paths])


def _is_file(path: Path) -> bool:
    return descriptor(path) is None and (path.is_file() or not path.exists())


@contextmanager
def _progress(input: Path | None) -> Iterator[Callable[[int], None]]:
    """A function to call with the number of finished lines; shows a progress bar if standard error is a terminal."""
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
