"""The words of a command line as Hydra wants them, and what some of them say."""

import json
from collections.abc import Sequence

VALUED = ("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd")
OWN = ("--config-dir", "-cd")
NEEDS_CORPUS = (  # their defaults lists hold `corpus: ???`
    "doctor",
    "prepare",
    "train",
    "train_language_model",
    "train_classifier",
    "train_tagger",
    "train_generator",
)


def arranged(command: str, arguments: list[str]) -> list[str]:
    """Overrides before options, as argparse wants them. `--help` needs no corpus, but the defaults list does."""
    overrides: list[str] = []
    options: list[str] = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        (options if argument.startswith("-") or before in VALUED else overrides).append(quoted(argument))
    named = any(override.startswith("corpus=") for override in overrides)
    if command in NEEDS_CORPUS and not named and {"--help", "-h"} & set(options):
        overrides.append("corpus=files")
    return overrides + options


def quoted(argument: str) -> str:
    """With quotes where Hydra wants them: `trainer.updates=+5000`, whose sign would be nothing, and values, or lists',
    that hold `=` as the folders of a sweep do."""
    key, _, value = argument.partition("=")
    if value.startswith("+") and value[1:].isdigit():
        return f"{key}='{value}'"
    if key.startswith("-") or "=" not in value or set(value) & set("'\"(){}"):
        return argument
    if value.startswith("[") and value.endswith("]"):
        return f"{key}=[{','.join(json.dumps(one.strip(), ensure_ascii=False) for one in value[1:-1].split(','))}]"
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def own_folder(arguments: Sequence[str]) -> str | None:
    """The folder of the user's own YAML files and modules, where one is named."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if before in OWN:
            return argument
        if argument.startswith("--config-dir="):
            return argument.partition("=")[2]
    return None


def sweep_folder(arguments: Sequence[str]) -> str | None:
    """Where the user wants a sweep's notes: launchers of other machines need a folder that all of them see."""
    given = [one.partition("=")[2] for one in arguments if one.startswith("hydra.sweep.dir=")]
    return given[-1] if given else None
