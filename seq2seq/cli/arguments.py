"""Translates the arguments of a command line into Hydra's syntax."""

import functools
import re
from collections.abc import Callable, Collection, Iterator, Sequence

from seq2seq.cli.text_keys import Form, TextKeys
from seq2seq.config.typecheck import place

VALUED = ("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd")
CONFIG_DIR = "--config-dir="  # the shell does not expand ~ after it
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
PLAIN = re.compile(r"(?:[A-Za-z_/]|\.{1,2}/)[\w./@-]*", re.ASCII)  # means itself with and without quotes
NO_TEXT = {"null", "true", "false", "nan", "inf"}  # but these do not
QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)  # one quoted string of Hydra's grammar
SWEPT = re.compile(r"(?:choice|range|interval|glob|sort|shuffle|tag)\(.*\)", re.DOTALL)  # functions that make a sweep
RESOLVED = r"oc\.\w+:|now:|hydra:"  # references to what is no key
NULL = "null"


def arranged(command: str, arguments: Sequence[str], keys: TextKeys) -> list[str]:
    """Overrides before options, as argparse expects them. `--help` needs no corpus, but the defaults list does."""
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
    """An override in Hydra's syntax.

    The value of a key for text or paths is taken literally, in a list every item between commas. Exceptions: a value or
    item that is a quoted string of Hydra (`'input="a b"'`), `null` if the key may be null, and `${key}` of a known key.
    In a sweep (`-m`) commas separate values. All other keys follow Hydra's grammar; a value that it cannot parse
    becomes text, so that the type check names the key.
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
    """The folder for a sweep's files, if given: launchers on other machines need a shared folder."""
    given = [one.partition("=")[2] for one in arguments if one.startswith("hydra.sweep.dir=")]
    return given[-1] if given else None


def is_plain(value: str) -> bool:
    """Whether Hydra reads `value` as the text that it is."""
    return PLAIN.fullmatch(value) is not None and value.lower() not in NO_TEXT


def text(value: str, known: Collection[str] = ()) -> str:
    """`value` for Hydra: verbatim, unless it is one quoted string of Hydra's own.

    known: the keys that `${key}` may refer to; any other `${` is text.
    """
    if is_plain(value) or QUOTED.fullmatch(value):
        return value
    names = "".join(f"{re.escape(key)}[.}}]|" for key in known)
    value = re.sub(rf"(\\*)\$\{{({names}{RESOLVED})?", _reference, value)
    quoted = re.sub(r"(\\*)'", r"\1\1\\'", value)
    trailing = len(quoted) - len(quoted.rstrip("\\"))
    return f"'{quoted}{chr(92) * trailing}'"


def _reference(match: re.Match[str]) -> str:
    """A reference is unchanged, any other `${` escaped; OmegaConf halves the backslashes before both."""
    escape = "" if match[2] else "\\"
    return f"{match[1] * 2}{escape}${{{match[2] or ''}"


def listed(value: str, one: Callable[[str], str]) -> str:
    """`[a,b]`, each item as `one` makes it; a comma in an item needs quotes around the item."""
    return f"[{','.join(one(item) for item in split(value[1:-1]))}]"


def mapped(value: str, one: Callable[[str], str]) -> str:
    """`{key:value,...}`, each value as `one` makes it."""
    pairs = (item.partition(":") for item in split(value[1:-1]))
    return f"{{{','.join(f'{key.strip()}:{one(content.strip())}' for key, _, content in pairs)}}}"


def choices(value: str, lists: bool) -> Iterator[str]:
    """The values of a sweep, `a,b`, of `[a,b],[c]` where a value may be a list."""
    pending = ""
    for item in split(value):
        pending = f"{pending},{item}" if pending else item
        if not (lists and pending.startswith("[")) or pending.endswith("]"):
            yield pending
            pending = ""
    if pending:
        yield pending


def split(value: str) -> Iterator[str]:
    """The items between commas, without outer spaces; an item that begins with a quote may contain commas."""
    if not value.strip():
        return
    start = 0
    while True:
        begun = start + len(value[start:]) - len(value[start:].lstrip())
        quoted = QUOTED.match(value, begun)
        end = value.find(",", quoted.end() if quoted else start)
        yield value[start : end if end >= 0 else None].strip()
        if end < 0:
            return
        start = end + 1
