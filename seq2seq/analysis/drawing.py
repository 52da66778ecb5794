"""Curves as one picture (matplotlib, of the extra `plots`)."""

import importlib.util
import json
from pathlib import Path

from seq2seq.analysis.curves import AXES, Axis, Curve, Curves
from seq2seq.errors import ConfigError

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")  # Okabe & Ito: for all eyes
STYLES = {"training": "-", "validation": "--", "average": ""}  # of lines, by event
MARKERS = {"training": "", "validation": "o", "average": "*"}
COLUMNS = 3
TEMPLATE = Path(__file__).with_name("curves.html")
PLACE = '"the curves stand here"'


def check() -> None:
    """Raises ConfigError where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(
            "formats: png needs matplotlib, which is missing: pip install 'seq2seq[plots]', or give formats=[html]"
        )


def draw(curves: Curves, axis: Axis, path: Path) -> None:
    """Writes the panels as a PNG: a colour for each run, dashes and dots for validations, a star for an average."""
    from matplotlib.figure import Figure  # slow to import, and an extra

    rows = -(-len(curves.panels) // COLUMNS)
    figure = Figure(figsize=(5 * COLUMNS, 3.2 * rows), layout="constrained")
    for number, panel in enumerate(curves.panels, 1):
        axes = figure.add_subplot(rows, COLUMNS, number)
        axes.set_title(panel.title, fontsize=10)
        axes.set_xlabel(AXES[axis], fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        for curve in panel.curves:
            axes.plot(
                curve.x[axis],
                [float("nan") if y is None else y for y in curve.y],
                color=COLOURS[curve.run % len(COLOURS)],
                linestyle=STYLES.get(curve.event, ":"),
                marker=MARKERS.get(curve.event, "."),
                markersize=9 if curve.event == "average" else 3,
                linewidth=1.2,
                label=label(curve, curves, len({one.event for one in panel.curves}) > 1),
            )
        if len(panel.curves) > 1:
            axes.legend(fontsize=7)
    figure.savefig(path, dpi=120)


def label(curve: Curve, curves: Curves, events: bool) -> str:
    """Of a curve in a panel of several: its run where there are several, its event where there are `events`."""
    run = curves.runs[curve.run] if len(curves.runs) > 1 else ""
    return " ".join(part for part in (run, curve.event if events or not run else "") if part)


def page(curves: Curves, axis: Axis) -> str:
    """The page, which begins with `axis` and offers all that every curve knows."""
    content = {
        "runs": curves.runs,
        "colours": COLOURS,
        "axes": {name: AXES[name] for name in curves.axes()},
        "axis": axis,
        "panels": [
            {"name": panel.name, "title": panel.title, "curves": [curve._asdict() for curve in panel.curves]}
            for panel in curves.panels
        ],
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")  # no run's name ends it
    return TEMPLATE.read_text("utf-8").replace(PLACE, text)
