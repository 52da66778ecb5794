"""Ways to change a model folder: by accident, or by somebody who means harm and leaves out the checksums."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

Change = Callable[[Path], object]
WEIGHTS = "model.safetensors"


def set_keys(folder: Path, **values: Any) -> None:
    """Sets keys of config.json, without checksums."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **values, "sha256": {}}), "utf-8")


def truncate(name: str, size: int) -> Change:
    return lambda folder: os.truncate(folder / name, size)


def content(name: str, text: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(text)


def key(**values: Any) -> Change:
    return lambda folder: set_keys(folder, **values)


def node(**values: Any) -> Change:
    """Keys of what builds the model."""

    def apply(folder: Path) -> None:
        model = json.loads((folder / "config.json").read_text("utf-8"))["model"]
        set_keys(folder, model={**model, **values})

    return apply


def part(name: str, **values: Any) -> Change:
    """Keys of a part of that."""

    def apply(folder: Path) -> None:
        model = json.loads((folder / "config.json").read_text("utf-8"))["model"]
        set_keys(folder, model={**model, name: {**model[name], **values}})

    return apply


def weights(edit: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    """What the file of weights holds."""

    def apply(folder: Path) -> None:
        tensors = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
        edit(tensors)
        save_file(tensors, folder / WEIGHTS)

    return apply


def header(edit: Callable[[dict[str, Any]], object]) -> Change:
    """What stands before the numbers in that file."""

    def apply(folder: Path) -> None:
        old = (folder / WEIGHTS).read_bytes()
        length = struct.unpack("<Q", old[:8])[0]
        entries = json.loads(old[8 : 8 + length])
        edit(entries)
        text = json.dumps(entries).encode()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + old[8 + length :])

    return apply
