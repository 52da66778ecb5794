"""What several tests share: a toy corpus, and the command line as users run it."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny tensors, and another test process beside this one
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the cores to the others, as in a command

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import annotations
import jaxtyping
import pytest
import torch
from apart import Completed, run
from one_composition import compose_once
from processor import processor

jaxtyping.jaxtyped = annotations.jaxtyped  # what instrumented modules ask for when they are imported
compose_once()
WORDS = {"one": "eins", "two": "zwei", "three": "drei", "red": "rot", "green": "grün", "dog": "Hund", "cat": "Katze"}
Runner = Callable[..., Completed]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever runs the command in a process is slow; files with slow tests come first, lest one is left for the end."""
    for item in items:
        if "seq2seq" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_runtest_setup() -> None:
    annotations.begin_test()


def write_toy_text(folder: Path) -> None:
    """train, valid and test in en and de: a few known words, in the other order in German."""
    source = random.Random(7)
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in (("train", 200), ("valid", 12), ("test", 12)):
        lines = [[source.choice(list(WORDS)) for _ in range(source.randint(1, 6))] for _ in range(size)]
        (folder / f"{split}.en").write_text("".join(f"{' '.join(line)}\n" for line in lines), "utf-8")
        german = [" ".join(WORDS[word] for word in reversed(line)) for line in lines]
        (folder / f"{split}.de").write_text("".join(f"{line}\n" for line in german), "utf-8")


@pytest.fixture(scope="session")
def toy_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy corpus."""
    folder = tmp_path_factory.mktemp("toy") / "text"
    write_toy_text(folder)
    return folder


@pytest.fixture(scope="session")
def seq2seq() -> Runner:
    """Runs `seq2seq ...` in a folder, in a process of its own, with standard input if given."""
    return lambda arguments, folder, text=None: run("seq2seq", arguments, folder, text)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For tests that fork."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def all_formats() -> Iterator[None]:
    """fp32, bf16 and int8 are there, packed: formats that this processor lacks are emulated."""
    with processor("fp32", "bf16", "int8"):
        yield
