"""A recurrent translation toolkit: raw parallel text in, a scored and usable translator out.

import seq2seq

translator = seq2seq.load("runs/ende")
for translation in translator.translate(["Two dogs play."], source="en", target="de"):
    print(translation.text)
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seq2seq.translation.translator import Translator

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(folder: str | Path, search: str | None = None) -> "Translator":
    """The translator in a run folder or model folder, as `seq2seq translate` would use it.

    search: a member of conf/search by its name, such as "greedy"; None takes the command's own. Raises ModelError where
    the folder is missing or damaged.
    """
    from seq2seq.command.assembly import open_with_defaults  # torch takes seconds to import

    return open_with_defaults(folder, search)
