"""A toy tokenizer and a model that repeats its source, so that a test sees which line became which."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor
from toy_network import composed

from seq2seq.config.build import build
from seq2seq.data.corpus.files import Files
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.data.tokenizer.train import TokenizerSettings, train_tokenizer
from seq2seq.network.model import Model
from seq2seq.network.state import State
from seq2seq.search.base import Search
from seq2seq.search.greedy import Greedy
from seq2seq.translation.translator import Translator

DIRECTIONS = [("en", "de"), ("de", "en")]
WORDS = [
    ("one", "eins"),
    ("two", "zwei"),
    ("three", "drei"),
    ("dog", "Hund"),
    ("house", "Haus"),
    ("sees", "sieht"),
    ("the", "das"),
    ("big", "große"),
]


@cache
def toy_tokenizer() -> Tokenizer:
    """A joint tokenizer of en and de with byte fallback, trained on made-up lines."""
    draw = torch.Generator().manual_seed(1)
    lines = [[WORDS[int(word)] for word in torch.randint(len(WORDS), (7,), generator=draw)] for _ in range(200)]
    with TemporaryDirectory() as folder:
        for side, language in enumerate(("en", "de")):
            text = "".join(" ".join(word[side] for word in line) + ".\n" for line in lines)
            (Path(folder) / f"train.{language}").write_text(text, encoding="utf-8")
        corpus = Files(folder, ["en-de", "de-en"], ["en", "de"], ["train"], [], [])
        return train_tokenizer(
            corpus, TokenizerSettings("unigram", 290, True, True, "identity", True, 1.0, 1.0, 1, [], False)
        ).tokenizer


def random_node() -> dict[str, Any]:
    """A small model's node, resolved, without its vocabulary sizes."""
    config = composed()
    config.model.width = 12
    node = OmegaConf.to_container(config.model, resolve=True)
    assert isinstance(node, dict)
    return {str(key): value for key, value in node.items()}


@cache
def random_model() -> Model:
    """A network with sharp random weights that fits the toy tokenizer."""
    torch.manual_seed(2)
    size = toy_tokenizer().sizes[0]
    model: Model = build(random_node(), {"source_vocabulary": size, "target_vocabulary": size})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model.eval()


class Echo:
    """Generates the source row behind its tag, EOS included; counts what it is given."""

    def __init__(self) -> None:
        self.rows = 0
        self.batches: list[tuple[int, int]] = []

    def start(self, source: Tensor, source_mask: Tensor) -> tuple[State, State]:
        assert source_mask.any(1).all()
        self.rows += len(source)
        self.batches.append((source.shape[0], source.shape[1]))
        return source, torch.zeros(len(source), 1, dtype=torch.long)

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        assert isinstance(state, Tensor)
        assert isinstance(memory, Tensor)
        position = (state + 1).clamp(max=memory.shape[1] - 1)
        wanted = memory.gather(1, position)
        logits = torch.zeros(*tokens.shape, toy_tokenizer().sizes[1])
        return logits.scatter(-1, wanted.unsqueeze(-1), 30.0).log_softmax(-1), state + 1


def echo_translator(
    model: Echo | None = None, search: Search | None = None, longest: int = 10000, batch: int = 500, most: int = 1
) -> Translator:
    """A translator that repeats every line."""
    return Translator(
        model or Echo(),
        toy_tokenizer(),
        search or Greedy(1.0, 2, 0.0, 0),
        DIRECTIONS,
        longest,
        batch,
        torch.float32,
        torch.device("cpu"),
        max_sentences=most,
    )


def echoed(line: str) -> str:
    """What a line becomes by being tokenised, repeated and put together again; a blank one stays blank."""
    line = toy_tokenizer().read(line, "source").text
    ids = toy_tokenizer().encode([line], "en", "source")
    return toy_tokenizer().decode(ids, "en")[0] if line.strip() else ""


def fresh(tokenizer: Tokenizer, node: dict[str, Any] | None = None) -> Model:
    """A new network of the same kind, with other weights."""
    torch.manual_seed(5)
    source, target = tokenizer.sizes
    model: Model = build(node or random_node(), {"source_vocabulary": source, "target_vocabulary": target})
    return model.eval()
