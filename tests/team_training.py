"""Trains the toy model in teams of forked processes, as torchrun would start them, and prints how each of them ended.

`python team_training.py FOLDER`: every line of SCENARIOS in a folder of its own, what its processes say in said-RANK.
`python team_training.py FOLDER die`: one team, started by torchrun's agent, the process of rank 1 killed at its first
start.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path

import torch
from killing import ended
from toy_training import SETTINGS, ToyBatches, toy_trainer

from seq2seq.data.loader.batch import Batch
from seq2seq.training.trainer import Trainer

SIZES = {"two": 2, "four": 4, "five": 5, "raise": 2, "hang": 3, "signal": 2, "validation": 2}
FAULTY_BATCH = 30  # of rank 1, counted over epochs
TEAM = replace(SETTINGS, accumulation=4, checkpoint_minutes=60.0)


class Faulty(ToyBatches):
    """The toy's batches, until what is to happen to rank 1 happens."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """As the toy's."""
        for number, batch in enumerate(super().batches(epoch, start), start):
            if number + epoch * self.batch_count(0) == FAULTY_BATCH and os.environ.get("RANK") == "1":
                happen(self.fault)
            yield batch


def happen(fault: str) -> None:
    """To this process."""
    if fault == "raise":
        raise OSError("the disk is gone")
    if fault == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(60)
    if fault == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
    if fault == "die" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os.kill(os.getpid(), signal.SIGKILL)


def team_trainer(folder: Path, fault: str = "") -> Trainer:
    """A member of a team, or a run of its own."""
    settings = replace(TEAM, timeout=2.0) if fault == "hang" else TEAM
    trainer = toy_trainer(folder, replace(settings, checkpoint_minutes=0.0) if fault == "die" else settings)
    trainer.batches = Faulty(fault)
    if fault == "validation" and os.environ["RANK"] == "0":
        trainer.selection.run_validation = told_to_stop(trainer.selection.run_validation)
    return trainer


def told_to_stop(validate: Callable[[], Mapping[str, float]]) -> Callable[[], Mapping[str, float]]:
    """The second time, a signal comes in the middle."""
    times = count(1)

    def told() -> Mapping[str, float]:
        if next(times) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return validate()

    return told


def started(folder: Path, fault: str, rank: int, size: int, port: int) -> int:
    """The process id of a member of a team."""
    child = os.fork()
    if child == 0:
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
        os.dup2(os.open(folder.parent / f"{folder.name}-said-{rank}", os.O_CREAT | os.O_WRONLY), 2)
        try:
            os._exit(team_trainer(folder, fault).train().exit_code)
        except Exception as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
    return child


def member(folder: Path) -> None:
    """A process that torchrun's agent started."""
    sys.exit(team_trainer(folder, "die").train().exit_code)


def started_again(folder: Path) -> None:
    """What `torchrun --nproc-per-node=2 --max-restarts=1` does, its processes forked."""
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    place = f"localhost:{free_port()}"
    agent = LaunchConfig(1, 1, 2, rdzv_backend="c10d", rdzv_endpoint=place, max_restarts=1, start_method="fork")
    elastic_launch(agent, member)(folder)


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as one:
        one.bind(("localhost", 0))
        number: int = one.getsockname()[1]
        return number


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    if sys.argv[2:] == ["die"]:
        started_again(place)
        sys.exit()
    codes = {}
    for name, size in SIZES.items():
        port = free_port()
        children = [started(place / name, name, rank, size, port) for rank in range(size)]
        hanging = {1} if name == "hang" else set()
        codes[name] = [None if rank in hanging else ended(child, 60) for rank, child in enumerate(children)]
        for rank in hanging:
            os.kill(children[rank], signal.SIGKILL)
            codes[name][rank] = ended(children[rank], 10)
    print(json.dumps(codes))
