"""`seq2seq translate`: a file or standard input, line by line, through a trained model."""

import sys
from typing import Literal

from seq2seq.command.opened import Node, cores, opened, path
from seq2seq.errors import ConfigError
from seq2seq.translation.file import translate_file


def run(
    model: str | list[str],
    weights: list[float] | None,
    source: str | None,
    target: str | None,
    input: str | None,
    output: str | None,
    form: Literal["text", "json"],
    precision: str,
    threads: int | None,
    search: Node,
    translator: Node,
) -> int:
    """Writes one translation a line; a summary goes to standard error."""
    processes = cores(threads)
    chosen = opened(model, weights, search, translator, precision)
    direction = _direction(source, target, chosen.directions)
    alone = input is None and sys.stdin.isatty()  # whoever types lines waits for each
    with chosen.in_processes(1 if alone else processes):
        translate_file(chosen, *direction, path(input), path(output), form)
    return 0


def _direction(source: str | None, target: str | None, known: list[tuple[str, str]]) -> tuple[str, str]:
    """The direction asked for; what is not given must follow from what the model can do."""
    fitting = [one for one in known if source in (None, one[0]) and target in (None, one[1])]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{one}-{other}" for one, other in known)
    given = f"source={source or 'null'} target={target or 'null'}"
    problem = "more than one of" if fitting else "none of"
    raise ConfigError(f"{given}: fits {problem} the model's directions: {listed}; set source= and target=")
