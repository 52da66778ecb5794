"""Text as Hydra's override grammar wants it, so that a value arrives as the shell handed it over.

    müller #1.txt         ->  'müller #1.txt'
    [runs/müller,runs/b]  ->  ['runs/müller',runs/b]      where a list is expected
    "a b"                 ->  "a b"                       quoted as a whole: Hydra's own quotes, left alone

Outside quotes Hydra reads few characters besides ASCII letters, and `null`, `true`, `1e5` as something else than text.
"""

import re
from collections.abc import Callable, Collection, Iterator

PLAIN = re.compile(r"(?:[A-Za-z_/]|\.{1,2}/)[\w./@-]*", re.ASCII)  # means itself with and without quotes
NO_TEXT = {"null", "true", "false", "nan", "inf"}  # but these do not
QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)  # one quoted string of Hydra's grammar
SWEPT = re.compile(r"(?:choice|range|interval|glob|sort|shuffle|tag)\(.*\)", re.DOTALL)  # functions that make a sweep
RESOLVED = r"oc\.\w+:|now:|hydra:"  # references to what is no key
NULL = "null"


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


def _reference(found: re.Match[str]) -> str:
    """A reference as it is, any other `${` escaped; OmegaConf halves the backslashes before both."""
    escape = "" if found[2] else "\\"
    return f"{found[1] * 2}{escape}${{{found[2] or ''}"


def listed(value: str, one: Callable[[str], str]) -> str:
    """`[a,b]`, each item as `one` makes it; a comma in an item needs quotes around the item."""
    return f"[{','.join(one(item) for item in split(value[1:-1]))}]"


def mapped(value: str, one: Callable[[str], str]) -> str:
    """`{key:value,...}`, each value as `one` makes it."""
    pairs = (item.partition(":") for item in split(value[1:-1]))
    return f"{{{','.join(f'{key.strip()}:{one(content.strip())}' for key, _, content in pairs)}}}"


def choices(value: str, lists: bool) -> Iterator[str]:
    """The values of a sweep, `a,b`, of `[a,b],[c]` where a value may be a list."""
    held = ""
    for item in split(value):
        held = f"{held},{item}" if held else item
        if not (lists and held.startswith("[")) or held.endswith("]"):
            yield held
            held = ""
    if held:
        yield held


def split(value: str) -> Iterator[str]:
    """The items between commas, without outer spaces; a comma inside an item that begins with a quote is its own."""
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
