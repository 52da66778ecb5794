"""A value against a type annotation: what YAML can hold, checked and converted.

    convert(1, float, "rate") == 1.0        convert([1, 2], tuple[int, ...], "sizes") == (1, 2)
    convert("two", int, "layers")           raises Mismatch("layers", "int", "two")

Annotations whose values no YAML can hold (tensors, protocols, type variables) are taken as they come.
"""

import inspect
import os
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from seq2seq.errors import ConfigError

UNIONS = (typing.Union, types.UnionType)
LISTS = (list, Sequence, Iterable, Collection)
MAPPINGS = (dict, Mapping)


class Mismatch(Exception):  # noqa: N818 - what it is, not that it is an error
    """The value at `where` is `found`, but should be as `expected` describes."""

    def __init__(self, where: str, expected: str, found: object) -> None:
        super().__init__(where, expected, found)
        self.where, self.expected, self.found = where, expected, found


def convert(value: object, annotation: object, where: str) -> object:
    """`value` converted to `annotation`: an int becomes a float, a list a tuple, text a Path. Raises Mismatch."""
    origin = typing.get_origin(annotation)
    if isinstance(annotation, typing.TypeVar) or annotation in (typing.Any, object):
        return value
    if origin in UNIONS:
        return _union(value, annotation, where)
    if origin is typing.Literal:
        return _accept(value in typing.get_args(annotation), value, annotation, where)
    if origin in (typing.Annotated, typing.Final):
        return convert(value, typing.get_args(annotation)[0], where)
    if origin is type or origin is Callable or annotation is Callable or annotation is typing.Callable:
        return _accept(callable(value), value, annotation, where)
    if (origin or annotation) in (*LISTS, tuple, set, frozenset):
        return _items(value, annotation, where)
    if (origin or annotation) in MAPPINGS:
        return _mapping(value, annotation, where)
    return _scalar(value, origin or annotation, where)


def check_lines(lines: object, names: str = "lines") -> None:
    """Raises ConfigError for one text where several are expected: each of its characters would be a line."""
    if isinstance(lines, str | bytes | os.PathLike | Mapping) or hasattr(lines, "_fields"):
        given = repr(lines) if len(repr(lines)) <= 60 else f"{repr(lines)[:60]}..."
        raise ConfigError(
            f"{names}: expected several, as a list or an iterator, got one {type(lines).__name__}: {given}; write [...]"
        )


def place(path: object) -> Path:
    """A file or folder as a user writes it: `~` is the home folder, `~name` that of a user who exists."""
    given = Path(str(path))
    try:
        return given.expanduser()
    except RuntimeError:  # unknown user
        return given


def describe(annotation: object) -> str:
    """The annotation in a user's words: `int | None` is "int or null"."""
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if annotation is None or annotation is type(None):
        return "null"
    if origin in UNIONS:
        return " or ".join(describe(part) for part in arguments)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is Callable or annotation is Callable:
        return "a node with _partial_: true (chosen as GROUP=NAME or GROUP@PLACE=NAME, like cell@decoder_cell=gru)"
    kind = origin or annotation
    if kind in (*LISTS, tuple, set, frozenset):
        inner = [part for part in arguments if part is not ...]
        return f"a list of {' and '.join(dict.fromkeys(map(describe, inner)))}" if inner else "a list"
    if kind in MAPPINGS:
        return "a mapping"
    if kind is Path:
        return "a file or folder"
    if isinstance(kind, type) and kind.__module__.startswith("seq2seq"):
        return f"a node that builds a {kind.__name__}"
    return getattr(kind, "__name__", str(kind))


def _union(value: object, annotation: object, where: str) -> object:
    """The first member that accepts the value unchanged, then the first that can convert it."""
    members = typing.get_args(annotation)
    for member in sorted(members, key=lambda one: type(value) is not one):
        try:
            return convert(value, member, where)
        except Mismatch as error:
            deeper = error if error.where != where else None
            if deeper and len(members) == 2 and type(None) in members:
                raise
    raise Mismatch(where, describe(annotation), value)


def _items(value: object, annotation: object, where: str) -> object:
    """A list, tuple or set; a fixed-size tuple checks each place."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise Mismatch(where, describe(annotation), value)
    if not isinstance(value, list | tuple | set | frozenset):
        return value  # an iterator from our own code
    kind = typing.get_origin(annotation) or annotation
    arguments = typing.get_args(annotation)
    if kind is tuple and arguments and arguments[-1] is not ...:
        if len(value) != len(arguments):
            raise Mismatch(where, f"{len(arguments)} items", value)
        expected = list(arguments)
    else:
        expected = [arguments[0] if arguments else object] * len(value)
    converted = [convert(part, one, f"{where}[{i}]") for i, (part, one) in enumerate(zip(value, expected, strict=True))]
    return kind(converted) if kind in (tuple, set, frozenset) else converted


def _mapping(value: object, annotation: object, where: str) -> object:
    if not isinstance(value, Mapping):
        raise Mismatch(where, describe(annotation), value)
    keys, values = typing.get_args(annotation) or (object, object)
    return {convert(key, keys, where): convert(part, values, f"{where}.{key}") for key, part in value.items()}


def _scalar(value: object, kind: object, where: str) -> object:
    """Numbers, text, truth values, null, and objects that were built already."""
    if kind is None or kind is type(None):
        return _accept(value is None, value, kind, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, bool):
        raise Mismatch(where, describe(kind), value)
    if kind is Path and isinstance(value, str):
        return place(_accept(value != "", value, kind, where))
    if not inspect.isclass(kind) or kind.__module__.startswith("jaxtyping"):
        return value
    if getattr(kind, "_is_protocol", False):
        return _accept(not isinstance(value, str | int | float | Mapping | None), value, kind, where)
    return _accept(isinstance(value, kind), value, kind, where)


def _accept(legal: bool, value: object, annotation: object, where: str) -> object:
    if not legal:
        raise Mismatch(where, describe(annotation), value)
    return value
