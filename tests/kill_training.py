"""Trains the toy model in child processes that are stopped by signals, then prints their exit codes.

`python kill_training.py FOLDER`: every line of SCENARIOS in a folder of its own. A program of its own (see apart.py),
so that children are forked before torch has any threads, and need not import it again.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
from killing import ended, newest
from toy_training import main

KILLS = 8
PATIENCE = ("updates=null", "patience=2", "validate_every=2", "checkpoint_minutes=60")
ANYWHERE = ("checkpoint_minutes=0.0005", "pause=0.02")  # checkpoints by the clock; a third of the time is validation
SCENARIOS: dict[str, tuple[signal.Signals, tuple[str, ...]]] = {
    "killed": (signal.SIGKILL, ()),  # a checkpoint after every update
    "killed_patience": (signal.SIGKILL, PATIENCE),  # a checkpoint at validations only
    "killed_anywhere": (signal.SIGKILL, ANYWHERE),
    "interrupted": (signal.SIGINT, ()),
    "terminated": (signal.SIGTERM, ()),
}


def started(arguments: list[str]) -> int:
    """The process id of a child that trains."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os._exit(main(arguments).exit_code)
    return child


def killed(folder: Path, options: tuple[str, ...]) -> list[int | None]:
    """Exit codes of children that are killed at random moments soon after their first or second checkpoint, so that
    every one of them resumes and gets on however slow the machine is, and of one that may come to its end."""
    chance = random.Random(len(options))
    codes: list[int | None] = []
    for _ in range(KILLS):
        child = started([str(folder), *options])
        code: int | None = None
        written = newest(folder)
        for _ in range(chance.randint(1, 2)):
            while code is None and newest(folder) == written:
                code = ended(child, 0.002)
            written = newest(folder)
        if code is None and (code := ended(child, chance.uniform(0, 0.03))) is None:
            os.kill(child, signal.SIGKILL)
            code = ended(child, 10)
        codes.append(code)
    return [*codes, ended(started([str(folder), *options]), 60)]


def stopped(folder: Path, number: signal.Signals) -> list[int | None]:
    """Exit codes of a child that gets the signal in a validation that would last a minute, and of one that does not."""
    child = started([str(folder), "pause=60"])
    while not (folder / "log.jsonl").exists() or not (folder / "log.jsonl").stat().st_size:
        time.sleep(0.01)
    time.sleep(0.3)
    os.kill(child, number)
    return [ended(child, 10), ended(started([str(folder)]), 60)]


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    print(
        json.dumps(
            {
                name: killed(place / name, options) if number == signal.SIGKILL else stopped(place / name, number)
                for name, (number, options) in SCENARIOS.items()
            }
        )
    )
