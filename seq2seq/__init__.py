"""A recurrent translation toolkit: raw parallel text in, a scored and usable translator out.

import seq2seq

translator = seq2seq.load("runs/ende")
for translation in translator.translate(["Two dogs play."], source="en", target="de"):
    print(translation.text, translation.score, translation.status)

nbest = seq2seq.load("runs/ende", search={"search": "beam", "beam_size": 10, "n_best": 3})
[found] = nbest.translate(["Two dogs play."], "en", "de", tokens=True, alignments=True)
for candidate in found.best:
    print(candidate.text, candidate.score, candidate.tokens, candidate.alignment)

asked = seq2seq.load("runs/ende", search="constrained")
line = seq2seq.Line("Two dogs play.", required=("Hund",), banned=("Katze",))
[found] = asked.translate([line], "en", "de", glossary={"two": "zwei"})

for translation in translator.stream(iter(["One line,", "and another one."]), "en", "de"):
    print(translation.text)  # as soon as its line is there, even where the lines never end
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq._version import __version__
from seq2seq.errors import ConfigError, DataError, ModelError, Seq2SeqError, StorageError, TrainingError
from seq2seq.translation.line import Line
from seq2seq.translation.translation import Candidate, Status, Token, Translation

if TYPE_CHECKING:
    from seq2seq.search.base import Search
    from seq2seq.translation.translator import Translator

__all__ = [
    "Candidate",
    "ConfigError",
    "DataError",
    "Line",
    "ModelError",
    "Seq2SeqError",
    "Status",
    "StorageError",
    "Token",
    "TrainingError",
    "Translation",
    "Translator",
    "__version__",
    "load",
]


def load(
    folder: str | Path | Sequence[str | Path],
    search: "Search | str | Mapping[str, object] | None" = None,
    number_format: str = "auto",
    weights: Sequence[float] | None = None,
) -> "Translator":
    """Loads a translator from a run folder or a model folder; arguments as in `seq2seq.translation.api.load`."""
    from seq2seq.translation import api  # imports torch, which takes seconds

    return api.load(folder, search, number_format, weights)


def __getattr__(name: str) -> object:
    """Imports `Translator`, and torch with it, at its first use."""
    if name == "Translator":
        from seq2seq.translation.translator import Translator

        return Translator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
