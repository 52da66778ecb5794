"""Checkpoints: whole or not at all, and the one before serves when the newest is damaged."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from seq2seq.errors import TrainingError
from seq2seq.training.checkpoint import Checkpoints


def saved(folder: Path) -> Checkpoints:
    checkpoints = Checkpoints(folder)
    for update in (1, 2, 3):
        checkpoints.save(update, {"weight": torch.full((50, 4), float(update))}, {"update": update, "best": -1 / 3})
    return checkpoints


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 7)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def one_bit_turned(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def number_in_state_changed(path: Path) -> None:
    content = path.read_bytes()
    assert b'update\\": 3' in content
    path.write_bytes(content.replace(b'update\\": 3', b'update\\": 4'))


DAMAGES = [cut_short, emptied, one_bit_turned, number_in_state_changed]


def test_what_was_saved_last_is_loaded(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path).load()
    assert checkpoint is not None
    assert checkpoint.content == {"update": 3, "best": -1 / 3}
    assert torch.equal(checkpoint.tensors["weight"], torch.full((50, 4), 3.0))


def test_nothing_saved_is_no_error(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "new").load() is None


def test_two_are_kept_and_nothing_else_is_left_behind(tmp_path: Path) -> None:
    saved(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"last-0000000{n}.safetensors" for n in (2, 3)]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_and_the_one_before_serves(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = saved(tmp_path)
    damage(tmp_path / "last-00000003.safetensors")
    with caplog.at_level(logging.WARNING):
        checkpoint = checkpoints.load()
    assert checkpoint is not None and checkpoint.content["update"] == 2
    assert "last-00000003.safetensors is damaged" in caplog.text


def test_all_damaged_is_an_error_and_not_a_new_start(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path)
    for path in tmp_path.iterdir():
        cut_short(path)
    with pytest.raises(TrainingError, match="none of the 2 checkpoints can be read"):
        checkpoints.load()


def test_half_a_write_is_not_seen(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path)
    (tmp_path / "last-00000004.writing").write_bytes(b"half")
    checkpoint = checkpoints.load()
    assert checkpoint is not None and checkpoint.content["update"] == 3


def test_another_format_is_named(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(1)}, tmp_path / "last-00000009.safetensors", metadata={"format": "99"})
    with pytest.raises(TrainingError, match="found checkpoint format 99, this version reads 1"):
        Checkpoints(tmp_path).load()


def test_best_weights_are_kept_by_update(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for update in (5, 10, 15):
        checkpoints.save_best(update, {"weight": torch.full((2,), float(update))})
    checkpoints.keep_best([5, 15])
    assert torch.equal(checkpoints.load_best(15)["weight"], torch.full((2,), 15.0))
    with pytest.raises(TrainingError, match="best-00000010"):
        checkpoints.load_best(10)
