"""Which keys of a command hold text or places: what the signature of its `run`, and the constructors of its nodes, say.

A key `corpus.path` is looked for where Hydra will find it: in conf/COMMAND.yaml and the choices of its groups.
"""

import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from seq2seq.config.build import TARGET, find_target
from seq2seq.config.typecheck import LISTS, MAPPINGS, UNIONS

Node = Mapping[str, Any]
SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is there


class Form(NamedTuple):
    """The forms in which a key holds text."""

    scalar: bool = False
    items: bool = False  # [a,b]
    entries: bool = False  # {key:a}
    nullable: bool = False

    def __or__(self, other: tuple[bool, ...]) -> "Form":
        return Form(*(one or two for one, two in zip(self, other, strict=True)))


def form(annotation: object) -> Form | None:
    """The forms of text that `annotation` allows; None where it is no text, or may be something else too."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (str, Path):
        return Form(scalar=True)
    if annotation in (None, type(None)):
        return Form(nullable=True)
    if origin is typing.Annotated:
        return form(arguments[0])
    if origin in UNIONS:
        forms = [form(one) for one in arguments]
        if any(one is None for one in forms):
            return None
        merged = Form()
        for one in forms:
            merged |= one or Form()
        return merged
    if origin in (*LISTS, tuple, set, frozenset) and arguments and _is_text(arguments[0]):
        return Form(items=True)
    if origin in MAPPINGS and len(arguments) == 2 and _is_text(arguments[1]):
        return Form(entries=True)
    return None


def _is_text(annotation: object) -> bool:
    result = form(annotation)
    return result is not None and result.scalar


class TextKeys:
    """What each key of a command may hold.

    name: of the command's YAML. function: its `run`, imported when first asked for. chosen: the groups' choices on the
    command line, `{"corpus": "tsv"}`. folders: of YAML files, the user's own before the toolkit's.
    """

    def __init__(
        self, name: str, function: Callable[[], Callable[..., Any]], chosen: Mapping[str, str], folders: Sequence[Path]
    ) -> None:
        self._function, self._chosen, self._folders = function, chosen, folders
        self._groups: dict[str, tuple[str, str]] = {}  # package: its group and the default choice
        self._keys: dict[str, Any] = {}  # what the command's own files say
        self._collect(name)

    @property
    def known(self) -> set[str]:
        """The top-level keys, which `${key}` can refer to."""
        return set(self._keys) | set(self._groups)

    def form(self, key: str) -> Form | None:
        """The forms in which `key` holds text; None where it holds something else, or is unknown."""
        try:
            return form(self._annotation(key.split(".")))
        except Exception:  # a part that cannot be imported is reported when it is built
            return None

    def _annotation(self, path: list[str]) -> object:
        hints = _hints(self._function())
        head, rest = path[0], path[1:]
        if not rest and head in hints:
            return hints[head]
        if not rest:  # a key that another one refers to: `languages`, in `corpus.directions: ${languages}`
            referring = next(_referring(self._keys, f"${{{head}}}"), None)
            return object if referring is None else self._annotation(referring)
        for called in getattr(hints.get(head), "__metadata__", ()):  # Annotated[Node, the function that gets it]
            return _inside(_hints(called).get(rest[0], object), rest[1:])
        return next((result for node in self._nodes(head) if (result := _walk(node, rest)) is not object), object)

    def _collect(self, name: str) -> None:
        """Reads the file of a command, and those that it includes."""
        node = dict(self._read(name))
        for entry in node.pop("defaults", []):
            if isinstance(entry, str):
                if entry != "_self_":
                    self._collect(entry)
                continue
            for group, choice in entry.items():
                name, _, package = group.removeprefix("override ").partition("@")
                self._groups[package or name] = (name, str(choice))
        self._keys |= node

    def _nodes(self, head: str) -> Iterator[Node]:
        """The nodes of a top-level key: those of the choices on the command line, or the default one."""
        own = self._keys.get(head)
        own = own if isinstance(own, Mapping) else {}
        group, default = self._groups.get(head, ("", ""))
        choices = self._chosen.get(head if group == head else f"{group}@{head}", default)
        for choice in choices.split(","):
            yield {**self._read(f"{group}/{choice.strip()}"), **own} if group else own

    def _read(self, name: str) -> Node:
        for folder in self._folders:
            path = folder / f"{name}.yaml"
            if path.is_file():
                node = yaml.load(path.read_text("utf-8"), SAFE)
                return node if isinstance(node, Mapping) else {}
        return {}


def _walk(node: object, path: list[str]) -> object:
    """The annotation of the value at `path` below a node."""
    if not isinstance(node, Mapping) or not path:
        return object
    child = node.get(path[0])
    if TARGET not in node or (isinstance(child, Mapping) and TARGET in child and len(path) > 1):
        return _walk(child, path[1:])
    return _inside(_hints(find_target(node[TARGET], "")).get(path[0], object), path[1:])


def _inside(annotation: object, path: list[str]) -> object:
    """The annotation of a mapping's values."""
    if not path:
        return annotation
    arguments = typing.get_args(annotation)
    return arguments[1] if typing.get_origin(annotation) in MAPPINGS and len(path) == 1 else object


def _hints(called: Callable[..., Any]) -> dict[str, Any]:
    function = called.__init__ if isinstance(called, type) else called  # type: ignore[misc]
    return typing.get_type_hints(function, include_extras=True) if isinstance(function, types.FunctionType) else {}


def _referring(node: Node, reference: str) -> Iterator[list[str]]:
    """The paths of keys whose value is this reference."""
    for key, value in node.items():
        if value == reference:
            yield [key]
        elif isinstance(value, Mapping):
            yield from ([key, *rest] for rest in _referring(value, reference))
