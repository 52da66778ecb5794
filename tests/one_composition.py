"""Hydra composes a configuration once for a command in the tests, where it would do it twice.

The first time it only reads `hydra.mode`, which is null wherever no command line gives it, and takes half a second.
"""

from typing import Any

from hydra._internal.hydra import Hydra

composed_mode = Hydra.get_mode


def given_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
    """Composes only where the mode is among the overrides."""
    given = any(one.lstrip("+~").startswith("hydra") and "mode" in one for one in overrides)
    return composed_mode(self, config_name, overrides) if given else None


def compose_once() -> None:
    """In this process."""
    Hydra.get_mode = given_mode  # type: ignore[method-assign]
