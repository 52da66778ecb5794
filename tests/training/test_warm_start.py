"""What a process of a team begins with: what the leader knows, whatever lies on its own machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toy_translator import DIRECTIONS, fresh, random_model, random_node, toy_tokenizer

from seq2seq.cli.warm_start import WarmStart
from seq2seq.errors import ModelError
from seq2seq.training.distributed.process_group import ProcessGroup, SingleProcess
from seq2seq.translation.folder import save

ADAM = {
    "_target_": "seq2seq.training.optimizer.Adam",
    "learning_rate": 0.1,
    "beta1": 0.9,
    "beta2": 0.98,
    "epsilon": 1e-9,
    "groups": [],
}


class Follower(SingleProcess):
    """A process on another machine, which hears what the leader says."""

    rank, world_size = 1, 2

    def __init__(self, *told: Any) -> None:
        self.told = list(told)

    def broadcast(self, value: Any) -> Any:
        return self.told.pop(0)

    def all_reduce_max(self, values: Sequence[float]) -> list[float]:
        raise AssertionError

    def all_reduce_sum(self, tensor: Tensor) -> None:
        raise AssertionError


def begin(team: ProcessGroup, folder: Path, init_from: Path) -> torch.nn.Module:
    network = fresh(toy_tokenizer())
    beginning = WarmStart(folder / "run", init_from, False, [])
    beginning.optimizer_for(team, network, "translator", random_node(), toy_tokenizer(), None, dict(ADAM))
    return network


def test_a_follower_goes_on_without_what_the_run_began_with(tmp_path: Path) -> None:
    """Its machine has neither the run's checkpoints nor the folder of init_from."""
    follower = Follower(True)
    begin(follower, tmp_path, tmp_path / "nowhere")
    assert not follower.told


def test_a_follower_begins_with_the_weights_that_the_leader_read(tmp_path: Path) -> None:
    save(tmp_path / "old", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    leader = begin(SingleProcess(), tmp_path, tmp_path / "old").state_dict()
    follower = begin(Follower(False, leader), tmp_path, tmp_path / "nowhere").state_dict()
    assert all(torch.equal(leader[name], follower[name]) for name in leader)
    with pytest.raises(ModelError, match="no such folder"):
        begin(SingleProcess(), tmp_path, tmp_path / "nowhere")
