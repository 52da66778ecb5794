"""Runs `seq2seq train` on a toy corpus: whole, and killed again and again, its newest checkpoint damaged in the end.

Prints the exit codes, and what the last process said.

`python kill_command.py FOLDER`: `FOLDER/text` is the corpus, `FOLDER/whole` and `FOLDER/killed` become runs, each with
a cache of its own. A program of its own: its children have imported everything already.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from killing import ended, newest

OPTIONS = (
    "corpus=files",
    "corpus.directions=[en-de,de-en]",
    "tokenizer.vocabulary=36",
    "tokenizer.byte_fallback=false",
    "model.width=16",
    "encoder.layers=1",
    "decoder.layers=1",
    "loader.tokens=200",
    "loader.sampled=[source,target]",
    "trainer.threads=2",  # processes that share the work
    "trainer.accumulation=2",
    "trainer.updates=40",
    "trainer.patience=2",
    "trainer.validate_every=8",
    "trainer.report_every=3",
    "trainer.checkpoint_minutes=0.001",
    "trainer.ema=0.9",
    "trainer.average=2",
    "validation.lines=10",
    "search.length_factor=1",
)
KILLS = 2  # while it trains


class Child:
    """A process that runs the command, and what it says."""

    def __init__(self, root: Path, name: str) -> None:
        from seq2seq.cli import main

        self.run = root / name
        reading, writing = os.pipe()
        self.number = os.fork()
        if self.number == 0:
            os.dup2(writing, 2)
            os._exit(
                main(["train", *OPTIONS, f"corpus.path={root / 'text'}", f"run={self.run}", f"cache={self.run}.c"])
            )
        os.close(writing)
        self.said: IO[str] = os.fdopen(reading, encoding="utf-8")

    def killed(self, due: Callable[[], bool], wait: float) -> int | None:
        """The exit code: -9, unless the run ended before it was `due` to be killed after a further `wait` seconds."""
        while not due():
            if (code := ended(self.number, 0.002)) is not None:
                return code
        time.sleep(wait)
        os.kill(self.number, signal.SIGKILL)
        return ended(self.number, 10)

    def killed_when(self, line: str) -> int | None:
        """As soon as it says this."""
        return self.killed(lambda: line in self.said.readline(), 0)

    def killed_in_training(self, wait: float) -> int | None:
        """Some time after its first checkpoint."""
        before = newest(self.run)
        return self.killed(lambda: newest(self.run) != before, wait)

    def left_alone(self) -> tuple[int | None, str]:
        """The exit code, and all that it says."""
        said = self.said.read()
        return ended(self.number, 60), said


def story(root: Path) -> dict[str, object]:
    """The exit codes of all children, and the last words."""
    chance = random.Random(5)
    whole = Child(root, "whole")
    prepared = [Child(root, "killed").killed_when(line) for line in ("training the tokenizer", "preparing valid")]
    trained = [Child(root, "killed").killed_in_training(chance.uniform(0, 0.3)) for _ in range(KILLS)]
    damaged = root / "killed" / "checkpoints" / newest(root / "killed")
    os.truncate(damaged, damaged.stat().st_size // 2)
    code, said = Child(root, "killed").left_alone()
    return {"codes": [*prepared, *trained, code, whole.left_alone()[0]], "said": said, "damaged": str(damaged)}


if __name__ == "__main__":
    import torch._dynamo  # once, not in every child

    import seq2seq.command.train  # noqa: F401

    torch.set_num_threads(1)
    print(json.dumps(story(Path(sys.argv[1]))))
