"""`seq2seq translate`: a file or standard input, line by line, through a trained model."""

import json
import sys
from pathlib import Path
from typing import Literal

from seq2seq import __version__
from seq2seq.command.opened import Node, cores, folders, opened, path
from seq2seq.errors import ConfigError
from seq2seq.model_folder import find
from seq2seq.translation.file import translate_file


def run(
    model: str | list[str],
    weights: list[float] | None,
    source: str | None,
    target: str | None,
    input: str | None,
    output: str | None,
    form: Literal["text", "json"],
    status: str | None,
    errors: Literal["replace", "strict"],
    resume: bool,
    precision: str,
    threads: int | None,
    search: Node,
    translator: Node,
    configuration: Node,
) -> int:
    """Writes one translation a line; a summary goes to standard error."""
    processes = cores(threads)
    chosen = opened(model, weights, search, translator, precision)
    direction = _direction(source, target, chosen.directions)
    key = None
    if resume and input is not None and Path(input).expanduser().is_file():
        asked = {name: value for name, value in configuration.items() if name not in ("threads", "resume")}
        key = _key(folders(model), Path(input).expanduser(), asked)
    alone = input is None and sys.stdin.isatty()  # whoever types lines waits for each
    with chosen.in_processes(1 if alone else processes):
        translate_file(chosen, *direction, path(input), path(output), form, path(status), key, errors)
    return 0


def _key(folders: list[Path], input: Path, given: Node) -> str:
    """All that the output depends on: what is asked for, the model's files and the input's, known by size and time."""
    files = [input, *(file for folder in folders for file in sorted(find(folder).iterdir()))]
    stamps = [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    return json.dumps([__version__, given, stamps], sort_keys=True)


def _direction(source: str | None, target: str | None, known: list[tuple[str, str]]) -> tuple[str, str]:
    """The direction asked for; what is not given must follow from what the model can do."""
    fitting = [one for one in known if source in (None, one[0]) and target in (None, one[1])]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{one}-{other}" for one, other in known)
    given = f"source={source or 'null'} target={target or 'null'}"
    problem = "more than one of" if fitting else "none of"
    raise ConfigError(f"{given}: fits {problem} the model's directions: {listed}; set source= and target=")
