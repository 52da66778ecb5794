"""Runs `seq2seq train` on a toy corpus: whole and in one process, and in three that are killed or told to stop again
and again, the newest checkpoint damaged in the end.

Prints the exit codes, how many processes outlived their run, and what the last process said.

`python kill_command.py FOLDER`: `FOLDER/text` is the corpus, `FOLDER/whole` and `FOLDER/killed` become runs, each with
a cache of its own. A program of its own: its children have imported everything already.
"""

import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from killing import ended, newest

OPTIONS = (
    "corpus=files",
    "corpus.directions=[en-de,de-en]",
    "tokenizer.vocab_size=36",
    "tokenizer.byte_fallback=false",
    "model.width=16",
    "encoder.layers=1",
    "decoder.layers=1",
    "loader.max_tokens=200",
    "loader.sampled_sides=[source,target]",
    "augmentation=robust",
    "trainer.accumulation=2",
    "trainer.updates=40",
    "trainer.patience=2",
    "trainer.validate_every=8",
    "trainer.report_every=3",
    "trainer.checkpoint_minutes=0.001",
    "trainer.ema_decay=0.9",
    "trainer.average_checkpoints=2",
    "validation.max_lines=10",
    "search.max_length_ratio=1",
)
STOPS = (signal.SIGKILL, signal.SIGTERM)  # while it trains; the latter goes to the workers too


class Child:
    """A process that runs the command, its workers in the same group, and what it says."""

    def __init__(self, root: Path, name: str, threads: int = 2) -> None:
        from seq2seq.cli.app import main

        self.run = root / name
        reading, writing = os.pipe()
        self.number = os.fork()
        if self.number == 0:
            os.dup2(writing, 2)
            os.setpgid(0, 0)
            folders = f"corpus.path={root / 'text'}", f"run={self.run}", f"cache={self.run}.c"
            os._exit(main(["train", *OPTIONS, f"trainer.cores={threads}", *folders]))
        os.close(writing)
        self.said: IO[str] = os.fdopen(reading, encoding="utf-8")

    def killed_when(self, line: str) -> int | None:
        """The exit code of one that is killed as soon as it says this."""
        while line not in self.said.readline():
            pass
        os.kill(self.number, signal.SIGKILL)
        return ended(self.number, 10)

    def stopped_in_training(self, stop: signal.Signals, wait: float) -> int | None:
        """The exit code of one that is stopped some time after its first checkpoint, unless it ended before that."""
        before = newest(self.run)
        while newest(self.run) == before:
            if (code := ended(self.number, 0.002)) is not None:
                return code
        time.sleep(wait)
        (os.kill if stop == signal.SIGKILL else os.killpg)(self.number, stop)
        return ended(self.number, 10)

    def outlived(self) -> bool:
        """Whether some worker is still at it ten seconds later."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if not running(self.number):
                return False
            time.sleep(0.01)
        return True

    def left_alone(self) -> tuple[int | None, str]:
        """The exit code, and all that it says."""
        said = self.said.read()
        return ended(self.number, 60), said


def running(group: int) -> bool:
    """Whether a process of the group runs; the dead that nobody has buried do not count."""
    for process in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            state, _, found = process.read_text().rpartition(")")[2].split()[:3]
            if int(found) == group and state != "Z":
                return True
    return False


def story(root: Path) -> dict[str, object]:
    """The exit codes of all children, how many left workers behind, and the last words."""
    chance = random.Random(5)
    whole = Child(root, "whole", threads=1)
    prepared = [Child(root, "killed").killed_when(line) for line in ("training the tokenizer", "preparing valid")]
    trained, outlived = [], 0
    for stop in STOPS:
        child = Child(root, "killed")
        trained.append(child.stopped_in_training(stop, chance.uniform(0, 0.3)))
        outlived += child.outlived()
    damaged = root / "killed" / "checkpoints" / newest(root / "killed")
    os.truncate(damaged, damaged.stat().st_size // 2)
    code, said = Child(root, "killed").left_alone()
    codes = [*prepared, *trained, code, whole.left_alone()[0]]
    return {"codes": codes, "outlived": outlived, "said": said, "damaged": str(damaged)}


if __name__ == "__main__":
    import torch._dynamo  # once, not in every child

    import seq2seq.cli.train  # noqa: F401

    torch.set_num_threads(1)
    print(json.dumps(story(Path(sys.argv[1]))))
