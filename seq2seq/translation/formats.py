"""How lines are read and translations are written: as text, TSV or JSON, and what became of each line."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from seq2seq.translation.line import Line, parsed
from seq2seq.translation.stages.preprocess import TranslateOptions
from seq2seq.translation.translation import Candidate, Translation

Form = Literal["text", "tsv", "json"]
Reading = Literal["text", "json"]


class Extras(NamedTuple):
    """Options of translating a file.

    input_format: `json` if each line is an object with the text and its constraints. alignments: file for the word
    alignments of the best translations.
    """

    reading: Reading = "text"
    alignments: Path | None = None
    options: TranslateOptions = TranslateOptions()

    @property
    def all_options(self) -> TranslateOptions:
        """The options with those that the files need."""
        return self.options._replace(alignments=self.options.alignments or self.alignments is not None)


def format_translation(translation: Translation, output_format: Form, number: int) -> str:
    """The translation of line `number`, from 1.

    `text` is its text, `json` an object with its text, score, status and all that was found. `tsv` is a row for each
    that was found: the line's number, its rank from 1, its score in nats, its text (a tab in it becomes a space),
    and what the rows of a line are ordered by (see Candidate.ranking); a blank line has one row too.
    """
    if output_format == "text":
        return translation.text
    return _as_rows(translation, number) if output_format == "tsv" else _as_json(translation)


def parse_lines(
    chunks: Iterable[list[str]], reading: Reading, name: str, before: int
) -> Iterator[Sequence[str | Line]]:
    """Parses chunks of input lines; the first is line `before` + 1 of the file `name`. DataError for invalid JSON."""
    for chunk in chunks:
        if reading == "text":
            yield chunk
        else:
            yield [parsed(line, f"{name}:{number}") for number, line in enumerate(chunk, before + 1)]
        before += len(chunk)


def status_records(before: int, lines: Sequence[str | Line], translations: Sequence[Translation]) -> Iterator[str]:
    """One JSON object per line with its status; the first is line `before` + 1 of the file.

    `notes`: all statuses of the line; `status`: the most serious one; `score`: in nats; `ratio`: characters of the
    translation to those of the source; `seconds`: its share of the search time of its batches.
    """
    for number, (line, one) in enumerate(zip(lines, translations, strict=True), before + 1):
        length = len(line.text if isinstance(line, Line) else line)
        ratio = round(len(one.text) / length, 3) if length else None
        values = {"line": number, "status": one.status, "notes": one.notes, "score": round(one.score, 4)}
        yield json.dumps({**values, "ratio": ratio, "seconds": round(one.seconds, 6)})


def _as_rows(translation: Translation, number: int) -> str:
    best = translation.best or (Candidate(translation.text, translation.score),)
    rows = (
        (str(number), str(rank), f"{one.score:.4f}", one.text.replace("\t", " "), _shown(one.ranking))
        for rank, one in enumerate(best, 1)
    )
    return "\n".join(map("\t".join, rows))


def _shown(ranking: float | None) -> str:
    return "" if ranking is None else f"{ranking:.4f}"


def _as_json(translation: Translation) -> str:
    values = {
        "text": translation.text,
        "score": round(translation.score, 4),
        "status": translation.status,
        "notes": translation.notes,
        "best": [_candidate(one) for one in translation.best],
    }
    return json.dumps(values, ensure_ascii=False)


def _candidate(one: Candidate) -> dict[str, object]:
    """What was found of it; what was not asked for is left out."""
    values: dict[str, object] = {"text": one.text, "score": round(one.score, 4)}
    if one.ranking is not None:
        values["ranking"] = round(one.ranking, 4)
    if one.tokens:
        values["tokens"] = [[piece, round(score, 4)] for piece, score in one.tokens]
    if one.alignment is not None:
        values["alignment"] = pharaoh(one.alignment)
    return values


def pharaoh(alignment: Sequence[tuple[int, int]]) -> str:
    """`0-0 1-2`: source word, target word."""
    return " ".join(f"{source}-{target}" for source, target in alignment)
