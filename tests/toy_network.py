"""Small networks for the tests, composed from the YAML that users compose them from."""

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from seq2seq.config import build
from seq2seq.data.batch import Batch
from seq2seq.network.model import Model
from seq2seq.symbols import EOS, PAD

CONF = Path(__file__).parents[1] / "conf"
CHOICES = {
    "cell": "lstm",
    "decoder_cell": "lstm",
    "attention": "multihead",
    "bridge": "mean",
    "sublayer": "pre_norm",
    "encoder": "bidirectional",
    "decoder": "parallel",
    "model": "default",
}
VOCABULARY = 13


def members(family: str) -> list[str]:
    """The names of a family's YAML files."""
    return sorted(path.stem for path in (CONF / family).glob("*.yaml"))


def composed(**chosen: str) -> DictConfig:
    """The nodes of a model, with some members of the families chosen by name."""
    names = {**CHOICES, **chosen}
    folders = {group: {"decoder_cell": "cell", "model": "network"}.get(group, group) for group in names}
    return OmegaConf.create(
        {group: OmegaConf.load(CONF / folders[group] / f"{name}.yaml") for group, name in names.items()}
    )


def member(family: str, name: str) -> Any:
    """One member, built (a partial where its YAML says so)."""
    config = composed(**{family: name})
    return build(OmegaConf.to_container(config[family], resolve=True))


def toy_model(width: int = 8, dropout: float = 0.0, **chosen: str) -> Model:
    """A model in evaluation mode with weights sharp enough that its state and its attention matter."""
    config = composed(**chosen)
    config.model.width = width
    config.model.word_dropout = config.model.embedding_dropout = config.sublayer.dropout = dropout
    sizes = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
    model: Model = build(OmegaConf.to_container(config.model, resolve=True), sizes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5).add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def toy_batch(sources: list[list[int]], targets: list[list[int]]) -> Batch:
    """A padded batch of rows that get EOS behind them; a row's first id plays the language tag."""
    source, source_mask = _padded(sources)
    target, target_mask = _padded(targets)
    return Batch(source, source_mask, target, target_mask, torch.arange(len(sources)))


def _padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows)) + 1
    ids = torch.tensor([[*row, EOS] + [PAD] * (longest - len(row) - 1) for row in rows])
    lengths = torch.tensor([len(row) + 1 for row in rows])
    return ids, torch.arange(longest) < lengths.unsqueeze(1)
