"""Parts of a user's own: modules beside their YAML files in the folder that `--config-dir` names.

    my_conf/cell/mine.py      class Mine(Cell): ...
    my_conf/cell/mine.yaml    _target_: seq2seq.plugins.cell.mine.Mine

`seq2seq train --config-dir my_conf cell=mine` uses it, as does every later command with the same folder. Code is
imported from no other place: a model folder contains none.
"""

import hashlib
import importlib
import inspect
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from seq2seq.config.aliases import current_name

PREFIX = f"{__name__}."

VARIABLE = "SEQ2SEQ_PLUGINS"  # the folder, for this process and those it starts


def _places() -> list[str]:
    return [place for place in [os.environ.get(VARIABLE, "")] if place]


__path__ = _places()  # makes this module a package, whose subpackages are the folder's subfolders


def use(folder: str) -> None:
    """From now on `seq2seq.plugins.NAME` is looked for in `folder`."""
    os.environ[VARIABLE] = str(Path(folder).absolute())
    __path__[:] = _places()


def code(modules: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of the source of those modules that are a user's own, and of the own ones that they import."""
    result: dict[str, str] = {}
    pending = [name for name in modules if name.startswith(PREFIX)]
    while pending:
        if (name := pending.pop()) not in result:
            module = importlib.import_module(name)
            source = inspect.getsourcefile(module)
            result[name] = hashlib.sha256(Path(source).read_bytes() if source else b"").hexdigest()
            used = (getattr(one, "__module__", None) or getattr(one, "__name__", "") for one in vars(module).values())
            pending += [one for one in used if isinstance(one, str) and one.startswith(PREFIX)]
    return dict(sorted(result.items()))


def code_of(configuration: object) -> dict[str, str]:
    """The same for the modules of all parts that a configuration names."""
    return code(target.rpartition(".")[0] for target in _targets(configuration))


def _targets(node: object) -> Iterator[str]:
    for value in node.values() if isinstance(node, Mapping) else node if isinstance(node, list | tuple) else ():
        yield from _targets(value)
    if isinstance(node, Mapping) and isinstance(node.get("_target_"), str):
        yield current_name(node["_target_"])
