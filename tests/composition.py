"""Configurations as the command line composes them."""

import functools
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from seq2seq.config.build import configuration_folder


@functools.cache
def composed(command: str, *overrides: str) -> dict[str, Any]:
    with initialize_config_dir(str(configuration_folder().absolute()), version_base="1.3"):
        return OmegaConf.to_container(compose(command.replace(" ", "_"), list(overrides)), resolve=True)  # type: ignore[return-value]
