"""The words of a command line as Hydra wants them, and what some of them say."""

import functools
from collections.abc import Callable, Sequence

from seq2seq.cli.quoting import NULL, SWEPT, choices, is_plain, listed, mapped, text
from seq2seq.cli.text_keys import Form, TextKeys
from seq2seq.config.typecheck import place

VALUED = ("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd")
CONFIG_DIR = "--config-dir="  # a shell leaves ~ behind it alone
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
CHOSEN = {("evaluate", "noise"): "augmentation@noise"}  # keys that choose from a group of another name


def arranged(command: str, arguments: Sequence[str], keys: TextKeys) -> list[str]:
    """Overrides before options, as argparse wants them. `--help` needs no corpus, but the defaults list does."""
    overrides: list[str] = []
    options: list[str] = []
    swept = bool({"-m", "--multirun"} & set(arguments))
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if argument.startswith(CONFIG_DIR):
            options.append(CONFIG_DIR + str(place(argument.removeprefix(CONFIG_DIR))))
        elif argument.startswith("-") or before in VALUED:
            options.append(argument)
        else:
            overrides.append(chosen(command, quoted(argument, keys, swept)))
    named = any(override.startswith("corpus=") for override in overrides)
    if command in NEEDS_CORPUS and not named and {"--help", "-h"} & set(options):
        overrides.append("corpus=files")
    return overrides + options


def chosen(command: str, argument: str) -> str:
    """The override with its group as Hydra calls it: `noise=[upper]` of evaluate is a choice of augmentations."""
    key, equals, value = argument.partition("=")
    return CHOSEN.get((command, key), key) + equals + value


def quoted(argument: str, keys: TextKeys, swept: bool = False) -> str:
    """An override as Hydra wants it.

    A key that holds text or a place takes what stands behind `=` as it is, in a list every item between commas. Three
    things have a meaning of their own: a value, or an item, that is one quoted string of Hydra's (`'input="a b"'`);
    `null` where a key may be null; `${key}` of a known key. In a sweep (`-m`) commas separate values. All other keys
    follow Hydra's grammar; what that cannot read is text too, so that the type check names the key.
    """
    key, equals, value = argument.partition("=")
    if not equals or key.startswith("~") or is_plain(value):
        return argument
    known = keys.known
    as_text = functools.partial(text, known=known)
    form = keys.form(key.lstrip("+"))
    if form is None:
        if value.startswith("+") and value[1:].isdigit():  # trainer.updates=+5000, whose sign would be nothing
            return f"{key}='{value}'"
        return argument if _parses(argument) else f"{key}={as_text(value)}"
    if not swept:
        return f"{key}={_formed(value, form, as_text)}"
    if SWEPT.fullmatch(value):
        return argument
    return f"{key}={','.join(_formed(one, form, as_text) for one in choices(value, form.items))}"


def _formed(value: str, form: Form, as_text: Callable[[str], str]) -> str:
    if value == NULL and form.nullable:
        return value
    if form.items and value.startswith("[") and value.endswith("]"):
        return listed(value, as_text)
    if form.entries and value.startswith("{") and value.endswith("}"):
        return mapped(value, as_text)
    return as_text(value)


def _parses(argument: str) -> bool:
    """Whether Hydra can read an override."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    return True


def choice_of(arguments: Sequence[str]) -> dict[str, str]:
    """The choices of groups that a command line may make: `{"corpus": "tsv"}`."""
    pairs = (one.lstrip("+").partition("=") for one in arguments if not one.startswith("-"))
    return {key: value for key, equals, value in pairs if equals and "." not in key}


def own_folder(arguments: Sequence[str]) -> str | None:
    """The folder of the user's own YAML files and modules, where one is named."""
    for before, argument in zip(["", *arguments], arguments, strict=False):
        if before in OWN:
            return str(place(argument))
        if argument.startswith(CONFIG_DIR):
            return str(place(argument.removeprefix(CONFIG_DIR)))
    return None


def sweep_folder(arguments: Sequence[str]) -> str | None:
    """Where the user wants a sweep's notes: launchers of other machines need a folder that all of them see."""
    given = [one.partition("=")[2] for one in arguments if one.startswith("hydra.sweep.dir=")]
    return given[-1] if given else None
