"""Curves as one HTML file that needs nothing else: curves.html with the numbers put in."""

import json
from pathlib import Path

from seq2seq.analysis.curves import AXES, Axis, Curves
from seq2seq.analysis.drawing import COLOURS

TEMPLATE = Path(__file__).with_name("curves.html")
PLACE = '"the curves stand here"'


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
