"""How translations are written: as text, as JSON, and what became of each line."""

import json
from collections.abc import Iterator, Sequence
from typing import Literal

from seq2seq.translation.translation import Candidate, Translation

Form = Literal["text", "json"]


def written(translation: Translation, form: Form) -> str:
    """A translation as one line: its text, or an object with its text, score, status and all that was found."""
    return translation.text if form == "text" else _as_json(translation)


def told(before: int, lines: Sequence[str], translations: Sequence[Translation]) -> Iterator[str]:
    """What became of each line, an object a line, the first of them line `before` + 1 of the file.

    `notes` are all that is to be said of it, `status` is the worst of them; `score` is in nats, the length `ratio` in
    characters (translation to source), `seconds` are its share of the time that its batches were searched.
    """
    for number, (line, one) in enumerate(zip(lines, translations, strict=True), before + 1):
        ratio = round(len(one.text) / len(line), 3) if line else None
        values = {"line": number, "status": one.status, "notes": one.notes, "score": round(one.score, 4)}
        yield json.dumps({**values, "ratio": ratio, "seconds": round(one.seconds, 6)})


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
    if one.tokens:
        values["tokens"] = [[piece, round(score, 4)] for piece, score in one.tokens]
    if one.alignment is not None:
        values["alignment"] = pharaoh(one.alignment)
    return values


def pharaoh(alignment: Sequence[tuple[int, int]]) -> str:
    """`0-0 1-2`: source word, target word."""
    return " ".join(f"{source}-{target}" for source, target in alignment)
