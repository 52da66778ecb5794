"""A trained language model ready for use: what scoring and sampling share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from seq2seq.device import default_device, precision
from seq2seq.errors import ConfigError
from seq2seq.tasks.language_model import language_model_folder as model_folder


def open_language_model(folder: Path, number_format: str, cores: int | None) -> dict[str, Any]:
    """The arguments `model, tokenizer, languages, dtype, device` of a Scorer or Sampler, from a run or model folder.

    cores: of the processor; None: all cores. Raises ModelError or ConfigError.
    """
    if cores is not None:
        if cores < 1:
            raise ConfigError(f"cores: expected a positive int or null, got {cores}")
        torch.set_num_threads(cores)
    device = default_device()
    dtype = precision(number_format, device)
    result = model_folder.load(folder)
    return {
        "model": result.model.to(device),
        "tokenizer": result.tokenizer,
        "languages": result.languages,
        "dtype": dtype,
        "device": device,
    }


def chosen(language: str | None, known: Sequence[str]) -> str:
    """The language asked for, or the only one there is. Raises ConfigError where there are several."""
    if language is None and len(known) > 1:
        raise ConfigError(f"language: this model knows {', '.join(known)}; choose one of these")
    return language or known[0]
