"""From a YAML node to a checked object. Nodes are plain dicts, lists and scalars; Hydra is not needed here.

    {"_target_": "seq2seq.network.cell.lstm.LSTM", "width": 256}   ->   LSTM(width=256)

Keys are checked against the constructor's signature and values against its annotations before anything is called, so
that errors name the full path: `encoder.layers: expected int, got 'two'`. Only names inside `seq2seq` are built,
because a model folder's config.json may come from anywhere; a user's own parts are `seq2seq.plugins`.
"""

import functools
import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from seq2seq.config.aliases import current_name, removed, renamed
from seq2seq.config.typecheck import Mismatch, convert
from seq2seq.errors import ConfigError

TARGET = "_target_"  # the dotted name of the class or function that a node builds
PARTIAL = "_partial_"  # true: do not call it yet; the parent adds sizes and calls it
NAME = re.compile(r"seq2seq(\.[A-Za-z_]\w*)+")


def build(node: Mapping[str, object], extra: Mapping[str, object] | None = None, where: str = "") -> typing.Any:
    """Builds the object that `node` describes, nested nodes and lists of nodes first.

    Args:
        node: With `_target_`; with `_partial_: true` the result is a functools.partial.
        extra: Arguments that are not in the file (vocabulary sizes, a loader); they override the node's.
        where: The node's key path, for messages.

    Raises:
        ConfigError: A target outside seq2seq, an unknown or missing key, a value of the wrong type, or an error of the
            constructor.
    """
    if TARGET not in node:
        raise ConfigError(f"{where or 'node'}: expected a node with the key {TARGET}, got the keys {_listed(node)}")
    target = find_target(node[TARGET], where)
    partial = node.get(PARTIAL, False)
    if not isinstance(partial, bool):
        raise ConfigError(f"{_join(where, PARTIAL)}: expected true or false, got {partial!r}")
    values = {key: _built(value, _join(where, key)) for key, value in node.items() if key not in (TARGET, PARTIAL)}
    arguments = _checked(target, {**values, **(extra or {})}, where, complete=not partial)
    if partial:
        return Partial(target, **arguments).named(where)
    try:
        return target(**arguments)
    except ConfigError as error:
        raise (ConfigError(f"{where}: {error}") if where and not str(error).startswith(where) else error) from error


class Partial(functools.partial[typing.Any]):
    """The result of a node with `_partial_: true`; raises ConfigError if its arguments are incomplete when called."""

    where = ""

    def named(self, where: str) -> "Partial":
        """With the node's key path, for messages."""
        self.where = where
        return self

    def __call__(self, *values: typing.Any, **named: typing.Any) -> typing.Any:
        try:
            return super().__call__(*values, **named)
        except TypeError:
            try:
                inspect.signature(self.func).bind(*self.args, *values, **{**self.keywords, **named})
            except TypeError as error:
                name = getattr(self.func, "__name__", self.func)
                raise ConfigError(f"{self.where}: {name}: {error}: check the arguments in its YAML file") from error
            raise


def build_all(nodes: Mapping[str, object], where: str) -> dict[str, typing.Any]:
    """Builds each node of a mapping, under its name."""
    return {name: build(_node(node, _join(where, name)), where=_join(where, name)) for name, node in nodes.items()}


def call(function: Callable[..., typing.Any], node: Mapping[str, object], where: str = "") -> typing.Any:
    """Calls `function` with the keys of `node`, checked like a constructor's, leaving nested nodes unbuilt."""
    return function(**_checked(function, node, where, complete=True))


def configuration_folder() -> Path:
    """The folder of the YAML files: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def suggestion(word: str, allowed: Iterable[str]) -> str:
    """`", did you mean hidden_size?"` where one of `allowed` looks like `word`, otherwise what is allowed."""
    names = sorted(allowed)
    near = get_close_matches(word, names, n=1)
    if near:
        return f", did you mean {near[0]}?"
    return f", allowed: {', '.join(names)}" if names else ", no keys are allowed here"


def unknown_key(key: str, allowed: Iterable[str]) -> str:
    """What is wrong with a key of this full path, where `allowed` are the names in its place."""
    names, now, last = list(allowed), renamed(key), key.rpartition(".")[2]
    if now.rpartition(".")[2] in {*names} - {last}:
        return f"{key} was renamed to {now}"
    instead = removed(key)
    return f"{key} is no key any more: write {instead}" if instead else f"unknown key {key}{suggestion(last, names)}"


def _built(value: object, where: str) -> object:
    """`value` with every node inside it built; plain mappings and lists keep their form."""
    if isinstance(value, Mapping):
        if TARGET in value:
            return build(value, where=where)
        return {key: _built(part, _join(where, str(key))) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_built(part, f"{where}[{index}]") for index, part in enumerate(value)]
    return value


def _node(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: expected a node with the key {TARGET}, got {value!r}")
    return value


def find_target(name: object, where: str) -> Callable[..., typing.Any]:
    """The class or function called `name`, which must be defined (not only imported) in a module of seq2seq."""
    key = _join(where, TARGET)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError(f"{key}: expected a dotted name that starts with seq2seq., got {name!r}")
    name = current_name(name)
    module_name, _, attribute = name.rpartition(".")
    try:
        result = getattr(importlib.import_module(module_name), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("seq2seq"):
            raise ConfigError(f"{key}: {name} needs the package {error.name}, which is not installed") from error
        advice = " in the folder that --config-dir names" if name.startswith("seq2seq.plugins.") else ""
        raise ConfigError(f"{key}: there is no {name}{advice}") from error
    if not callable(result) or getattr(result, "__module__", None) != module_name:
        raise ConfigError(f"{key}: {name} is not a class or function defined in {module_name}")
    return typing.cast(Callable[..., typing.Any], result)


def _checked(
    target: Callable[..., typing.Any], values: Mapping[str, object], where: str, complete: bool
) -> dict[str, object]:
    """`values` as keyword arguments of `target`, converted to its annotations (an int where a float is meant)."""
    parameters = inspect.signature(target).parameters
    for key in values:
        if key not in parameters:
            raise ConfigError(unknown_key(_join(where, str(key)), parameters))
    missing = [name for name, one in parameters.items() if one.default is one.empty and name not in values]
    if complete and missing:
        raise ConfigError(f"{where or target.__name__}: missing {', '.join(_join(where, name) for name in missing)}")
    annotations = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    arguments = {}
    for key, value in values.items():
        try:
            arguments[key] = convert(value, annotations.get(key, object), _join(where, key))
        except Mismatch as error:
            raise ConfigError(f"{error.where}: expected {error.expected}, got {_shown(error.found)}") from None
    return arguments


def _shown(value: object) -> str:
    """A value in a message; of what a node built its kind, not its address."""
    kind = type(value)
    return (
        f"a {kind.__name__}"
        if kind.__module__.startswith("seq2seq") and kind.__repr__ is object.__repr__
        else repr(value)
    )


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _listed(node: Mapping[str, object]) -> str:
    return ", ".join(map(str, node)) or "(none)"
