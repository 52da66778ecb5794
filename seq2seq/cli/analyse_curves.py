"""`seq2seq analyse curves`: loss, scores, learning rate, speed and more of runs, as a picture and as a page."""

from pathlib import Path
from typing import Literal

from seq2seq.analysis import drawing
from seq2seq.analysis.curves import AXES, Axis, read
from seq2seq.analysis.drawing import page
from seq2seq.cli.paths import check_places
from seq2seq.errors import ConfigError
from seq2seq.io.atomic import storing

SEVERAL = Path("runs/curves")  # where those of several runs go


def run(run: Path | list[Path], output: Path | None, x_axis: Axis, formats: list[Literal["png", "html"]]) -> int:
    """Writes curves.png and curves.html and prints their paths."""
    folders = [run] if isinstance(run, Path) else run
    if not folders or not formats:
        raise ConfigError("run, formats: expected at least one run folder and one of png, html")
    if "png" in formats:
        drawing.check()
    place = output or (SEVERAL if len(folders) > 1 else folders[0])
    pictures = [place / f"curves.{form}" for form in formats]
    check_places({"run": [folder / "log.jsonl" for folder in folders]}, {"output": pictures})
    curves = read(folders)
    if x_axis not in curves.axes():
        raise ConfigError(f"x: {AXES[x_axis]} are not in every log; these are: {', '.join(curves.axes())}")
    with storing(place, then="give the same command again"):
        place.mkdir(parents=True, exist_ok=True)
        for form, path in zip(formats, pictures, strict=True):
            if form == "png":
                drawing.draw(curves, x_axis, path)
            else:
                path.write_text(page(curves, x_axis), encoding="utf-8")
            print(path)
    return 0
