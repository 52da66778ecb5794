"""Toy text with labels, small networks for it, and the commands that train on it, run inside the test's process."""

import itertools
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from safetensors.torch import load_file
from toy_network import TEXT

from seq2seq.cli.app import main
from seq2seq.config.build import build, configuration_folder
from seq2seq.data.corpus.files import Files
from seq2seq.data.tokenizer.labelled_tokenizer import (
    ClassTokenizer,
    LabelledTokenizer,
    LabelTokenizer,
    NumberTokenizer,
    TagTokenizer,
)
from seq2seq.data.tokenizer.labels import Labels
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.data.tokenizer.train import TokenizerSettings, train_tokenizer
from seq2seq.search.base import Search
from seq2seq.tasks.labelling.generation import Generated, LineGenerator

WORDS = ("ka", "lo", "mi", "nu", "pesto", "rafi")
LABELS = ("blue", "green", "red")
SMALL = (
    "tokenizer.byte_fallback=false",
    "model.width=16",
    "model.word_dropout=0",
    "model.embedding_dropout=0",
    "sublayer.dropout=0",
    "optimizer.learning_rate=0.02",
    "schedule=inverse_sqrt",
    "schedule.warmup=10",
    "trainer.accumulation=1",
    "trainer.cores=1",
    "trainer.ema_decay=null",
    "trainer.average_checkpoints=0",
    "trainer.label_smoothing=0",
    "trainer.precision=fp32",
    "trainer.report_every=1000",
)
SHALLOW = ("encoder.layers=1", "encoder.feed_forward=0", "model.dropout=0")


def write(folder: Path, name: str, lines: Sequence[str]) -> Path:
    """A file with these lines, byte for byte."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes("".join(f"{line}\n" for line in lines).encode())
    return folder / name


@cache
def toy_text() -> Tokenizer:
    """A tokenizer of lines of WORDS, which knows the language `text` and spells the unknown in bytes."""
    draw = torch.Generator().manual_seed(1)
    with TemporaryDirectory() as folder:
        rows = torch.randint(len(WORDS), (200, 5), generator=draw).tolist()
        lines = [" ".join(WORDS[word] for word in row) for row in rows]
        write(Path(folder), "train.text", lines)
        corpus = Files(folder, ["text"], ["text"], ["train"], [], [])
        return train_tokenizer(
            corpus, TokenizerSettings("unigram", 280, True, True, "identity", True, 1.0, 1.0, 1, [], False)
        ).tokenizer


def toy_tokenizer(kind: type[ClassTokenizer] = ClassTokenizer) -> ClassTokenizer:
    """The same with LABELS on the other side."""
    return kind(toy_text(), "label", Labels(LABELS))


def tag_tokenizer() -> TagTokenizer:
    """The same for a label a token."""
    return TagTokenizer(toy_text(), "label", Labels(LABELS))


@cache
def node(command: str, *overrides: str) -> dict[str, Any]:
    """What builds the network of a command once the tokenizer's facts are added."""
    with initialize_config_dir(str(configuration_folder().absolute()), version_base="1.3"):
        config = OmegaConf.to_container(compose(command, [*TEXT, "model.width=8", *overrides]), resolve=True)
    found: dict[str, Any] = config["model"]  # type: ignore[index, assignment, call-overload]
    return found


def network(command: str, facts: dict[str, int | str], *overrides: str) -> Any:
    """The network of a command's YAML, in evaluation mode, with sharp random weights and no dropout."""
    torch.manual_seed(0)
    model = build(node(command, *overrides), facts, "model")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5).add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def run(command: str, folder: Path, *overrides: str, name: str = "run") -> int:
    """A command on the text of `folder`, whose run is `folder/NAME`."""
    training = command.startswith("train")
    given = [*SMALL, f"run={folder / name}", f"cache={folder / 'cache'}"] if training else [f"model={folder / name}"]
    return main([command, *given, *overrides])


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of the last checkpoint of a run folder: weights and what the optimiser remembers."""
    return load_file(max((folder / "checkpoints").glob("last-*")))


def assert_same_weights(one: Path, other: Path) -> None:
    """Bit for bit."""
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def generation(search: Search, form: type[LabelledTokenizer] = LabelTokenizer, batch: int = 3) -> LineGenerator:
    made: Any = (
        LabelTokenizer(toy_text(), "label", Labels(LABELS))
        if form is LabelTokenizer
        else NumberTokenizer(toy_text(), "label", 2)
    )
    model = network("train_generator", made.facts)
    return LineGenerator(model, made, search, batch, torch.float32, torch.device("cpu"))


def generated(generation: LineGenerator, lines: Sequence[str], chunk: int = 100) -> list[Generated]:
    chunks = [lines[start : start + chunk] for start in range(0, len(lines), chunk)]
    return list(itertools.chain.from_iterable(generation.generate_chunks(chunks)))
