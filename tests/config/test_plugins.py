"""A cell of one's own: one file and one YAML in a folder that `--config-dir` names, and nothing else."""

from pathlib import Path

import pytest
from conftest import Runner
from small_run import SMALL, corpus

pytestmark = pytest.mark.slow

CELL = '''
"""A leaky integrator."""

import torch
from torch import nn

from seq2seq.network.cell.base import Cell


class Leaky(Cell):
    """h' = keep * h + (1 - keep) * tanh(W x + u * h)"""

    def __init__(self, input_size, hidden_size, keep: float):
        super().__init__(input_size, hidden_size)
        self.keep = keep
        self.input = nn.Linear(input_size, hidden_size)
        self.past = nn.Parameter(torch.zeros(hidden_size))

    def initial_state(self, shape):
        return self.zeros(shape)

    def project(self, x):
        return self.input(x)

    def advance(self, projected, state, drawn):
        hidden = self.keep * state + (1 - self.keep) * torch.tanh(projected + self.past * state)
        return hidden, hidden
'''
YAML = """
_target_: seq2seq.plugins.cell.leaky.Leaky
_partial_: true
keep: 0.5
"""


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    folder = tmp_path / "my_conf" / "cell"
    folder.mkdir(parents=True)
    (folder / "leaky.py").write_text(CELL)
    (folder / "leaky.yaml").write_text(YAML)
    return ["--config-dir", "my_conf"]


def test_a_cell_of_ones_own_trains_and_translates(
    own: list[str], toy_text: Path, seq2seq: Runner, tmp_path: Path
) -> None:
    two = ["trainer.cores=2", "trainer.accumulation=2"]  # processes that find the cell too
    trained = seq2seq(["train", *own, *corpus(toy_text), *SMALL, *two, "cell=leaky", "cell.keep=0.7"], tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "seq2seq.plugins.cell.leaky.Leaky" in (tmp_path / "runs/default/model/config.json").read_text()
    command = ["translate", "model=runs/default", "source=en", "target=de"]
    done = seq2seq([*command, *own], tmp_path, text="one dog\n")
    assert done.returncode in (0, 3) and done.stdout.strip(), done.stderr
    alone = seq2seq(command, tmp_path, text="one dog\n")
    assert alone.returncode == 1 and "--config-dir" in alone.stderr


def test_a_run_goes_on_with_the_code_that_it_began_with(
    own: list[str], toy_text: Path, seq2seq: Runner, tmp_path: Path
) -> None:
    """Whether the part itself changed, or what it imports from beside it; in cleaning the cache is not used either."""
    code, helper = tmp_path / "my_conf/cell/leaky.py", tmp_path / "my_conf/cell/squash.py"
    helper.write_text("import torch\n\n\ndef squash(x):\n    return torch.tanh(x)\n")
    code.write_text(
        CELL.replace("torch.tanh", "squash").replace(
            "from torch", "from seq2seq.plugins.cell.squash import squash\nfrom torch"
        )
    )
    command = ["train", *own, *corpus(toy_text), *SMALL, "cell=leaky"]
    assert seq2seq([*command, "trainer.updates=2"], tmp_path).returncode == 0
    helper.write_text(helper.read_text().replace("tanh", "sin"))
    again = seq2seq([*command, "trainer.updates=4"], tmp_path)
    assert again.returncode == 1
    assert "data.own: the code of seq2seq.plugins.cell.squash is another one" in again.stderr
    assert "give the old code back" in again.stderr and "cell.leaky" not in again.stderr
    assert seq2seq([*command, "trainer.updates=4", "trainer.allow_changed=[data.own]"], tmp_path).returncode == 0
    assert seq2seq([*command, "trainer.updates=6"], tmp_path).returncode == 0


FILTER = """
from seq2seq.data.cleaning.base import Filter


class Odd(Filter):
    def keep(self, pair):
        return True
"""


def test_pairs_are_prepared_anew_where_a_filter_of_ones_own_changed(
    own: list[str], toy_text: Path, seq2seq: Runner, tmp_path: Path
) -> None:
    folder = tmp_path / "my_conf" / "cleaning"
    folder.mkdir()
    (folder / "odd.yaml").write_text("odd:\n  _target_: seq2seq.plugins.cleaning.odd.Odd\n")
    command = ["prepare", *own, *corpus(toy_text), "cleaning=odd", *SMALL[:2]]
    (folder / "odd.py").write_text(FILTER)
    first = seq2seq(command, tmp_path)
    (folder / "odd.py").write_text(FILTER.replace("True", "len(pair.source) % 2 == 1"))
    second = seq2seq(command, tmp_path)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "100.0%" in first.stdout and "100.0%" not in second.stdout
