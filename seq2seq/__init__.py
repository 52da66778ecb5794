"""A recurrent translation toolkit: raw parallel text in, a scored and usable translator out.

import seq2seq

translator = seq2seq.load("runs/ende")
for translation in translator.translate(["Two dogs play."], source="en", target="de"):
    print(translation.text)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seq2seq.search.base import Search
    from seq2seq.translation.translator import Translator

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(
    folder: str | Path | Sequence[str | Path], search: "Search | None" = None, number_format: str = "auto"
) -> "Translator":
    """The translator in a run folder or model folder, or in several; see seq2seq.translation.api.load."""
    from seq2seq.translation import api  # takes seconds: torch

    return api.load(folder, search, number_format)
