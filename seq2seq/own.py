"""Parts that a user adds: modules beside their YAML files in the folder that `--config-dir` names.

    my_conf/cell/mine.py      class Mine(Cell): ...
    my_conf/cell/mine.yaml    _target_: seq2seq.own.cell.mine.Mine

`seq2seq train --config-dir my_conf cell=mine` uses it, and so does every later command that names the same folder. Code
is imported from no other place: a model folder alone brings none with it.
"""

import os
from pathlib import Path

VARIABLE = "SEQ2SEQ_OWN"  # the folder, for this process and those it starts


def _places() -> list[str]:
    return [place for place in [os.environ.get(VARIABLE, "")] if place]


__path__ = _places()  # makes this module a package, whose subpackages are the folder's subfolders


def use(folder: str) -> None:
    """From now on `seq2seq.own.NAME` is looked for in `folder`."""
    os.environ[VARIABLE] = str(Path(folder).absolute())
    __path__[:] = _places()
