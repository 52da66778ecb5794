"""`seq2seq export`: a model folder once more, with weights that need less space."""

from pathlib import Path

from torch import nn

from seq2seq.cli.paths import Tree, check_places
from seq2seq.errors import ConfigError, ModelError
from seq2seq.model_folder.config import CONFIG, read_config
from seq2seq.model_folder.folder import USED_BY, assemble, convert, find, read
from seq2seq.model_folder.weights import Precision


def run(model: Path, output: Path, precision: Precision) -> int:
    """Writes the folder `output` and prints the sizes of both."""
    check_places({"model": [Tree(find(model))]}, {"output": [Tree(output)]})
    opened = read(model, *USED_BY)
    assemble(opened, nn.Module)  # checks that its files fit together
    _check(output)
    convert(opened, output, precision)
    for place, weights in (opened.place, opened.content["precision"]), (output, precision):
        print(f"{place}: {_bytes(place) / 1e6:.2f} MB, {weights}")
    return 0


def _check(folder: Path) -> None:
    """Raises ConfigError where something else than an exported model would be overwritten."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConfigError(f"output: {folder} is no folder")
    if any(folder.iterdir()) and not _is_model(folder):
        raise ConfigError(f"output: {folder} holds something else than a model; name a new folder")


def _is_model(folder: Path) -> bool:
    """Whether a folder holds a model and no other folders."""
    try:
        return (folder / CONFIG).is_file() and bool(read_config(folder)) and not any(map(Path.is_dir, folder.iterdir()))
    except ModelError:
        return False


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
