"""Curves from the log.jsonl of one or several runs, in panels: loss, validation scores, learning rate, speed.

curves = read([Path("runs/a"), Path("runs/b")])
curves.panels[0].title, curves.panels[0].curves[0].y       "loss (nats per target token)", [4.1, 3.8, ...]
"""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from seq2seq.errors import DataError
from seq2seq.io.text import read_json

LOG = "log.jsonl"
Axis = Literal["update", "tokens", "hours"]
AXES: Mapping[Axis, str] = {"update": "updates", "tokens": "target tokens", "hours": "hours"}
TITLES = {  # the panels in their order; other scores come after the loss, other numbers of training at the end
    "loss": "loss (nats per target token)",
    "validation_bleu": "validation BLEU",
    "validation_chrf": "validation chrF",
    "accuracy": "accuracy (share of target tokens)",
    "learning_rate": "learning rate",
    "gradient_norm": "gradient norm",
    "tokens_per_second": "speed (target tokens per second)",
    "waiting": "waiting for data (share of the time)",
    "padding": "padding (share of all places)",
    "gradient_noise": "gradient noise scale (target tokens)",
}
SCORE = "validation_"  # before the name of a score
NO_CURVES = ("event", "update", "epoch", "tokens", "seconds", "smoothed_loss", "skipped", "cuts", "scores", "better")
Record = Mapping[str, object]


class Curve(NamedTuple):
    """One line: of which run, from which event (training, validation, average); y None where it was not finite.

    x holds a place for each value on every axis that is known.
    """

    run: int
    event: str
    x: Mapping[Axis, Sequence[float]]
    y: Sequence[float | None]


class Panel(NamedTuple):
    """All curves of one quantity."""

    name: str
    title: str
    curves: Sequence[Curve]


class Curves(NamedTuple):
    """The runs' names and the panels."""

    runs: Sequence[str]
    panels: Sequence[Panel]

    def axes(self) -> list[Axis]:
        """Those that every curve knows its places on."""
        curves = [curve for panel in self.panels for curve in panel.curves]
        return [axis for axis in AXES if all(axis in curve.x for curve in curves)]


def read(folders: Sequence[Path]) -> Curves:
    """The curves of some run folders. Raises DataError where there is no log, or nothing in it."""
    logs = [_records(folder) for folder in folders]
    result: dict[str, list[Curve]] = {}
    for run, records in enumerate(logs):
        for name, curve in _curves(run, records):
            result.setdefault(name, []).append(curve)
    panels = [
        Panel(name, TITLES.get(name, name.replace("_", " ")), result[name]) for name in sorted(result, key=_order)
    ]
    return Curves(_names(folders), panels)


def _order(name: str) -> tuple[int, str]:
    """The rank of a panel: scores without an entry in TITLES come after the others, other numbers last."""
    known = list(TITLES)
    if name in TITLES:
        return known.index(name), ""
    return (known.index("validation_chrf") if name.startswith(SCORE) else len(known)), name


def _records(folder: Path) -> list[Record]:
    """The records of a run that may still be writing its last line; of those of the same update the last."""
    path = folder / LOG
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give the folder of a run that seq2seq train has begun") from error
    result: dict[tuple[object, object], Record] = {}
    for number, line in enumerate(lines[:-1], 1):  # what follows the last line end is nothing, or half a line
        try:
            record = read_json(line)
            result[record["event"], record["update"]] = record
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}:{number}: expected a record with event and update, got {line[:60]!r}") from error
    if not result:
        raise DataError(f"{path}: no records yet; the first comes after trainer.report_every updates")
    return sorted(result.values(), key=lambda record: _number(record["update"]) or 0.0)


def _curves(run: int, records: Sequence[Record]) -> Iterator[tuple[str, Curve]]:
    """Each quantity of each event."""
    known = [(0.0, 0.0)] + [
        (update, tokens)
        for record in records
        if (update := _number(record["update"])) and (tokens := _number(record.get("tokens"))) is not None
    ]
    for event in dict.fromkeys(str(record["event"]) for record in records):
        own = [record for record in records if record["event"] == event]
        values = [_values(record) for record in own]
        for name in dict.fromkeys(name for one in values for name in one):
            picked = [(record, one[name]) for record, one in zip(own, values, strict=True) if name in one]
            yield name, Curve(run, event, _places([record for record, _ in picked], known), [y for _, y in picked])


def _values(record: Record) -> dict[str, float | None]:
    """The numbers of a record that make curves; of an update that was skipped none: log.jsonl holds it as an event."""
    if record["event"] == "skipped":
        return {}
    scores = record.get("scores")
    result = {name: value for name, value in record.items() if name not in NO_CURVES}
    if isinstance(scores, Mapping):  # only the loss is the same quantity as in training
        result |= {name if name == "loss" else f"{SCORE}{name}": value for name, value in scores.items()}
    return {name: _number(value) for name, value in result.items() if value is None or _number(value) is not None}


def _places(records: Sequence[Record], known: Sequence[tuple[float, float]]) -> dict[Axis, Sequence[float]]:
    """The positions of records on each axis; a validation's tokens lie between those of the records around it."""
    updates = [_number(record["update"]) or 0.0 for record in records]
    places: dict[Axis, Sequence[float]] = {"update": updates}
    if len(known) > 1:
        places["tokens"] = [_between(update, known) for update in updates]
    seconds = [_number(record.get("seconds")) for record in records]
    hours = [one / 3600 for one in seconds if one is not None]
    if len(hours) == len(records):
        places["hours"] = hours
    return places


def _between(x: float, known: Sequence[tuple[float, float]]) -> float:
    """A straight line through the known points (x, y), going on as from the beginning to the last after it."""
    for (left, low), (right, high) in itertools.pairwise(known):
        if left <= x <= right and right > left:
            return low + (high - low) * (x - left) / (right - left)
    last, value = known[-1]
    return value * x / last


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _names(folders: Sequence[Path]) -> list[str]:
    """Short names of the runs: their paths without the common parts."""
    paths = [folder.absolute() for folder in folders]
    common = os.path.commonpath([path.parent for path in paths])
    return [str(path.relative_to(common)) for path in paths]
