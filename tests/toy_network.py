"""Small networks for the tests, composed from the YAML that users compose them from."""

import functools
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from seq2seq.config.build import build, configuration_folder
from seq2seq.data.loader.batch import Batch
from seq2seq.network.model import Model
from seq2seq.special_tokens import EOS, PAD

CONF = configuration_folder()
TEXT = ("corpus=files", "corpus.path=nowhere", "corpus.directions=[en-de]")
GROUPS = {"decoder_cell": "cell@decoder_cell", "model": "network@model"}  # a key that is not named as its group
VOCABULARY = 13


def members(family: str) -> list[str]:
    """The names of a family's YAML files."""
    return sorted(path.stem for path in (CONF / family).glob("*.yaml"))


def composed(**chosen: str) -> DictConfig:
    """The configuration of a training, with some members of the families chosen by name."""
    config = deepcopy(_composed())
    for key, name in {"decoder_cell": chosen.get("cell", "lstm"), **chosen}.items():
        config[key] = deepcopy(part(key, name))
    return config


@functools.cache
def part(key: str, name: str) -> Any:
    """What a member's file puts at the key."""
    group = GROUPS.get(key, key)
    node = OmegaConf.load(CONF / group.split("@")[0] / f"{name}.yaml")
    return _composed(f"{group}={name}")[key] if "defaults" in node else node  # reading is much faster than composing


@functools.cache  # composing takes a tenth of a second, so each member is composed once and then put in its place
def _composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF.absolute()), version_base="1.3"):
        return compose("train", [*TEXT, *overrides])


def member(family: str, name: str) -> Any:
    """One member, built (a partial where its YAML says so)."""
    return build(OmegaConf.to_container(composed(**{family: name})[family], resolve=True))


def toy_model(
    width: int = 8, dropout: float = 0.0, settings: Mapping[str, object] | None = None, **chosen: str
) -> Model:
    """A small model of these members, with these keys (`decoder.attend`) set."""
    config = composed(**chosen)
    config.model.width = width
    for key, value in (settings or {}).items():
        OmegaConf.update(config, key, value)
    return sharp_model(config, dropout)


def paper_model(name: str, width: int = 8, vocabulary: int = VOCABULARY) -> Model:
    """A published system at its own depth and a tiny width."""
    return sharp_model(deepcopy(_composed(f"paper={name}", f"model.width={width}")), 0.0, vocabulary)


def sharp_model(config: DictConfig, dropout: float, vocabulary: int = VOCABULARY) -> Model:
    """A model in evaluation mode with weights sharp enough that its state and its attention matter."""
    config.model.word_dropout = config.model.embedding_dropout = config.sublayer.dropout = dropout
    if "hidden_size" in config.attention:
        config.attention.hidden_size = config.model.width
    sizes = {"source_vocabulary": vocabulary, "target_vocabulary": vocabulary}
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
