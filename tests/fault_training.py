"""Prepares a corpus and trains the toy model while file operations fail one by one; prints what was said and goes on.

`python fault_training.py FOLDER [every]`: every case in a folder of its own; some of each kind, or every operation in
all ways (minutes). A program of its own for the sake of its forked children.
"""

import errno
import itertools
import json
import logging
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
import toy_training
import yaml
from faulty_files import KILLED, Faults, kind
from torch import Tensor
from toy_text import toy_corpus, vocabulary
from toy_training import SETTINGS, ToyModel, toy_trainer

from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import prepare as prepare_corpus
from seq2seq.errors import ModelError
from seq2seq.model_folder import folder as model_folder

SHORT = replace(SETTINGS, updates=4, validate_every=2, report_every=1, average_checkpoints=2, checkpoint_minutes=60.0)
Action = Callable[[Path], None]
NUMBERS = {"disk full": errno.ENOSPC, "death": None, "no permission": errno.EACCES}


class Case(NamedTuple):
    """Operation `place` of a run fails in this way; `said` is how it ended: nothing where it did not mind."""

    run: str
    place: int
    operation: str
    fault: str
    said: str
    readable: bool  # then at once: the configuration and the model, as far as there are any
    folder: str


def export(
    folder: Path, weights: Mapping[str, Tensor], scores: Mapping[str, float], spent: Mapping[str, float | int]
) -> None:
    """A real model folder."""
    model = ToyModel()
    model.load_state_dict(weights)
    model_folder.write(folder, "translator", model, {"scores": dict(scores), "model": {}}, _accompany)


def _accompany(folder: Path) -> None:
    (folder / "tokenizer.model").write_bytes(b"toy")


def train(folder: Path) -> None:
    """Or go on there."""
    toy_trainer(folder, SHORT).train()


def prepare(folder: Path) -> None:
    """A toy corpus beside the folder, which is the cache."""
    corpus = Files(str(folder.parent / "text"), ["en-de"], [], ["train"], ["valid"], [])
    prepared = prepare_corpus(corpus, {}, vocabulary("characters"), folder, 1000)
    assert len(prepared.train) == 300 and len(prepared.valid["valid"]) == 20


def operations(faults: Faults, action: Action, folder: Path) -> list[str]:
    """Those of a process that nothing happens to."""
    faults.watch(folder, -1, None)
    action(folder)
    return faults.stop()


def chosen(operations: list[str], known: list[str], every: bool) -> list[tuple[int, str]]:
    """What is to fail, and how: everything in all ways, or of each kind of operation that is not `known` the last in
    one way, and the first by death where that can leave halves behind."""
    if every:
        return [(place, fault) for place in range(len(operations)) for fault in NUMBERS]
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, operation in enumerate(operations):
        first.setdefault(kind(operation), place)
        last[kind(operation)] = place
    new = [one for one in first if one not in {kind(operation) for operation in known}]
    ways: dict[str, Iterator[str]] = {one.split()[0]: itertools.cycle(NUMBERS) for one in new}
    halves = [(first[one], "death") for one in new if one.startswith(("write", "rename", "remove"))]
    return list(dict.fromkeys([*halves, *((last[one], next(ways[one.split()[0]])) for one in new)]))


def ended(faults: Faults, action: Action, folder: Path, place: int, number: int | None) -> str:
    """How a process ends whose operation `place` fails: `TypeOfError: message`, nothing, or `killed`."""
    if number is None:
        child = os.fork()
        if child == 0:
            faults.watch(folder, place, None)
            action(folder)
            os._exit(0)
        return {KILLED: "killed", 0: ""}[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]
    faults.watch(folder, place, number)
    try:
        action(folder)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        faults.stop()
    return ""


def readable(folder: Path) -> bool:
    """Whether config.yaml and the model folder, or the one before it, are whole where they are."""
    configuration = folder / "config.yaml"
    if configuration.exists() and set(yaml.safe_load(configuration.read_text()) or ()) != {"trainer", "optimizer"}:
        return False
    try:
        return bool(model_folder.read(folder, "translator").weights)
    except ModelError:
        return not any((folder / name).exists() for name in ("model", ".model.previous"))


def cases(faults: Faults, root: Path, every: bool) -> Iterator[Case]:
    """Faults of a run from its beginning, of one that goes on after it was killed, and of a preparation."""
    root.mkdir(parents=True, exist_ok=True)
    toy_corpus(root / "text")
    whole = operations(faults, train, root / "whole")
    middle = [place for place, one in enumerate(whole) if one.startswith("write checkpoints")][-2]
    assert ended(faults, train, root / "killed", middle, None) == "killed"
    shutil.copytree(root / "killed", root / "resumed")
    resumed = operations(faults, train, root / "resumed")
    prepared = operations(faults, prepare, root / "prepared")
    runs: list[tuple[str, Action, list[str], list[str]]] = [
        ("whole", train, whole, []),
        ("resumed", train, resumed, whole),
        ("prepared", prepare, prepared, []),
    ]
    for run, action, known, seen in runs:
        for place, fault in chosen(known, seen, every):
            folder = root / f"{run} {place} {fault}"
            if run == "resumed":
                shutil.copytree(root / "killed", folder)
            said = ended(faults, action, folder, place, NUMBERS[fault])
            safe = readable(folder)
            action(folder)
            yield Case(run, place, known[place], fault, said, safe, folder.name)


if __name__ == "__main__":
    torch.set_num_threads(1)
    errors = os.fdopen(os.dup(2), "w")
    sys.excepthook = lambda *error: traceback.print_exception(
        *error, file=errors
    )  # what the trainer says is not wanted
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    logging.disable()
    toy_training.export = export
    found = cases(Faults(), Path(sys.argv[1]).absolute(), sys.argv[2:] == ["every"])
    print(json.dumps([one._asdict() for one in found]))
