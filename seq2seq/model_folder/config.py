"""config.json of a model folder: what it must say, and whether it is as it was written."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq._version import __version__
from seq2seq.errors import ModelError
from seq2seq.io.text import read_json

CONFIG = "config.json"
FORMATS: Mapping[str, int] = {"fp32": 1, "bf16": 2, "int8": 2}  # 1: read by all toolkits; 2: weights in less space
SUMS = "sha256"  # the key of the checksums of all other files but the card, and of config.json without this key
LARGEST = 16 << 20  # bytes


def read_config(place: Path) -> dict[str, Any]:
    """The content of a model folder's config.json. Raises ModelError where it is damaged or of another format."""
    path = place / CONFIG
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"longer than {LARGEST:,} bytes")
        config = read_json(path.read_text(encoding="utf-8"))
        own = _own_sum(config) if isinstance(config, dict) else ""
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read as JSON: {error}; copy the folder again") from error
    if not isinstance(config, dict) or "format" not in config:
        raise ModelError(f"{path}: expected an object with the key format; this is no model folder of seq2seq")
    if config["format"] not in FORMATS.values():
        raise ModelError(
            f"{path}: format {config['format']!r} of toolkit {config.get('toolkit')!r} is none that seq2seq "
            f"{__version__} reads (1 and 2); install the toolkit that wrote it"
        )
    config.setdefault("kind", "translator")  # 0.1 knew no other
    config.setdefault("precision", "fp32")  # nor this
    expect_types(config, {"kind": str, "toolkit": str, "model": dict, "precision": str}, path)
    if FORMATS.get(config["precision"]) != config["format"]:
        allowed = ", ".join(name for name, number in FORMATS.items() if number == config["format"])
        raise ModelError(
            f"{path}: precision: expected {allowed} of format {config['format']}, got {config['precision']!r}"
        )
    _check_sum(path, config.setdefault(SUMS, {}), own)
    return config


def sealed(config: Mapping[str, Any], sums: Mapping[str, str]) -> str:
    """The text of config.json, with checksums of the other files and its own; without any if there were none."""
    bare = {key: value for key, value in config.items() if key != SUMS}
    sealed = {**bare, SUMS: {**sums, CONFIG: _own_sum(bare)}} if sums else bare
    return json.dumps(sealed, indent=2, ensure_ascii=False) + "\n"


def expect_types(config: Mapping[str, Any], kinds: Mapping[str, type], path: Path) -> None:
    """Raises ModelError unless there are these keys with values of these types."""
    for key, kind in kinds.items():
        if not isinstance(config.get(key), kind):
            raise ModelError(f"{path}: {key}: expected a {kind.__name__}, got {config.get(key)!r}")


def _own_sum(config: Mapping[str, Any]) -> str:
    """The checksum of config.json's content, without the checksums in it, whatever its layout."""
    bare = {key: value for key, value in config.items() if key != SUMS}
    return hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()


def _check_sum(path: Path, sums: object, own: str) -> None:
    """Raises ModelError where config.json is not as it was written."""
    if not isinstance(sums, dict) or not all(isinstance(one, str) for one in sums.values()):
        raise ModelError(f"{path}: {SUMS}: expected the checksum of each file; copy the folder again")
    if sums and sums.get(CONFIG) != own:
        raise ModelError(
            f"{path}: is not as it was written; copy the folder again (or, having changed it on purpose, remove its "
            f"key {SUMS})"
        )
