"""A trained model ready to translate: what the commands that use one share."""

import sys
from pathlib import Path
from typing import Annotated

import torch

from seq2seq.cli.paths import Place, StandardStream, model_places
from seq2seq.config.build import build, call
from seq2seq.config.typecheck import place
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import tune_search
from seq2seq.errors import ConfigError
from seq2seq.languages import matching_directions
from seq2seq.network.coverage_penalty import CoveragePenalty
from seq2seq.network.ensemble import Ensemble
from seq2seq.network.model import Model
from seq2seq.network.state import AutoregressiveModel
from seq2seq.tasks.language_model.folder import fuse
from seq2seq.translation.api import assemble
from seq2seq.translation.translator import Translator

Node = dict[str, object]
FusionNode = Annotated[Node, fuse]  # what it is called with


def open_translator(
    model: Path | list[Path],
    weights: list[float] | None,
    search: Node,
    translator: Node,
    precision: str,
    fusion: FusionNode,
    coverage_penalty: float,
) -> Translator:
    """The translator of a run folder or model folder, or of several. Raises ModelError or ConfigError."""

    def added(network: Model | Ensemble, tokenizer: Tokenizer) -> AutoregressiveModel:
        covered = CoveragePenalty(network, coverage_penalty) if coverage_penalty else network
        return call(fuse, {**fusion, "network": covered, "tokenizer": tokenizer}, "fusion")

    tune_search()
    return assemble(folders(model), weights, build(search, where="search"), translator, precision, added)


def folders(model: Path | list[Path]) -> list[Path]:
    """The folders that `model` names. Raises ConfigError where there is none."""
    result = [model] if isinstance(model, Path) else model
    if not result:
        raise ConfigError("model: expected a run folder, or a list of at least one")
    return result


def files(*paths: Path | None) -> list[Path]:
    """Those that are named."""
    return [path for path in paths if path is not None]


def stream_or_file(path: Path | None, stream: StandardStream) -> list[Place]:
    """The file, or the standard stream if there is none."""
    return [stream if path is None else path]


def read_models(*models: Path | list[Path] | None) -> list[Place]:
    """What of model folders and runs nothing may overwrite."""
    named = [folder for model in models if model is not None for folder in folders(model)]
    return [one for folder in named for one in model_places(folder)]


def fusion_model(fusion: FusionNode) -> Path | None:
    """The language model that counts in a search, if there is one."""
    return place(fusion["language_model"]) if fusion["language_model"] else None


def process_count(count: int | None) -> int:
    """The number of processes to translate with (None: one for each core); limits this process to one thread."""
    use_threads(count)
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    return count


def use_threads(count: int | None) -> None:
    """Sets the number of processor threads (None: all cores). Raises ConfigError."""
    if count is not None:
        if count < 1:
            raise ConfigError(f"cores: expected a positive int or null, got {count}")
        torch.set_num_threads(count)


def direction(source: str | None, target: str | None, known: list[tuple[str, str]]) -> tuple[str, str]:
    """The direction asked for; what is not given must follow from what the model can do."""
    fitting = matching_directions(source, target, known)
    if len(fitting) == 1:
        for key, asked, name in (("source", source, fitting[0][0]), ("target", target, fitting[0][1])):
            if asked not in (None, name):
                print(f"{key}={asked}: the model's language {name}", file=sys.stderr)
        return fitting[0]
    listed = ", ".join(f"{one}-{other}" for one, other in known)
    given = f"source={source or 'null'} target={target or 'null'}"
    problem = "more than one of" if fitting else "none of"
    raise ConfigError(f"{given}: fits {problem} the model's directions: {listed}; set source= and target=")
