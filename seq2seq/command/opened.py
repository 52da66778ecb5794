"""A trained model ready to translate: what the commands translate and evaluate share."""

from pathlib import Path

import torch

from seq2seq.config import build
from seq2seq.errors import ConfigError
from seq2seq.translation.api import assemble
from seq2seq.translation.translator import Translator

Node = dict[str, object]


def opened(model: str, search: Node, translator: Node, precision: str, threads: int | None) -> Translator:
    """The translator of a run folder or model folder, on so many processor threads (None: all cores).

    Raises ModelError or ConfigError.
    """
    if threads is not None:
        if threads < 1:
            raise ConfigError(f"threads: expected a positive int or null, got {threads}")
        torch.set_num_threads(threads)
    return assemble(Path(model).expanduser(), build(search, where="search"), translator, precision)
