"""Small cells for the tests, built from the YAML that users build them from."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from omegaconf import OmegaConf
from toy_network import part

from seq2seq.config.build import build, configuration_folder
from seq2seq.network.cell.base import Cell

CONF = configuration_folder()
CELLS = sorted(path.stem for path in (CONF / "cell").glob("*.yaml"))
INPUT, HIDDEN = 4, 6


@functools.cache
def node(name: str) -> dict[str, Any]:
    """The YAML of a cell."""
    return OmegaConf.to_container(part("cell", name), resolve=True)  # type: ignore[no-any-return]


def maker(name: str, **changed: object) -> Callable[[int, int], Cell]:
    """A cell that waits for its sizes, with some keys of its YAML changed."""
    return build({**node(name), **changed})  # type: ignore[no-any-return]


def drawn_cell(name: str, **changed: object) -> Cell:
    """A cell in fp64 whose every parameter is far from zero, so that each one counts."""
    torch.manual_seed(0)
    cell = maker(name, **changed)(INPUT, HIDDEN).double()
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter)
    return cell


def inputs(batch: int, time: int) -> torch.Tensor:
    return torch.randn(batch, time, INPUT, dtype=torch.float64)
