"""Checkpoints: whole or not at all, and the one before serves when the newest is damaged."""

import errno
import functools
import io
import logging
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from seq2seq.errors import StorageError, TrainingError
from seq2seq.training.checkpoint import Checkpoints


def refused_by(real: Callable[..., object], refused: Path, path: object, *rest: object, **named: object) -> object:
    """What `real` gives, unless it is asked for the path `refused`."""
    if Path(str(path)) == refused:
        raise PermissionError(errno.EACCES, "Permission denied")
    return real(path, *rest, **named)


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


def test_half_a_write_is_not_seen_and_goes(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path)
    (tmp_path / ".writing").mkdir()
    (tmp_path / ".writing" / ".tmp123").write_bytes(b"half")
    checkpoint = checkpoints.load()
    assert checkpoint is not None and checkpoint.content["update"] == 3
    assert not (tmp_path / ".writing").exists()


def test_a_damaged_one_goes_once_the_run_has_gone_on(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path)
    cut_short(tmp_path / "last-00000003.safetensors")
    (tmp_path / "last-00000003.safetensors").rename(tmp_path / "last-00000009.safetensors")
    checkpoints.save(5, {"weight": torch.ones(1)}, {"update": 5})  # by the clock: 9 will be another one
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"last-0000000{n}.safetensors" for n in (2, 5)]


def test_a_full_disk_leaves_the_older_ones_and_nothing_else(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # the system's own refusal, in safetensors' own code
    try:
        with pytest.raises(StorageError, match=r"last-00000004\.safetensors: File too large: allow larger files there"):
            checkpoints.save(4, {"weight": torch.ones(1000)}, {"update": 4})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("place", ["", "last-00000003.safetensors"])
def test_what_must_not_be_read_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    checkpoints = saved(tmp_path)

    for module, name in ((os, "listdir"), (os, "scandir"), (io, "open")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, functools.partial(refused_by, real, tmp_path / place))
    with pytest.raises(StorageError, match=f"{place or tmp_path.name}: Permission denied: allow this user"):
        checkpoints.load()


def test_another_format_is_named(tmp_path: Path) -> None:
    save_file({"weight": torch.ones(1)}, tmp_path / "last-00000009.safetensors", metadata={"format": "99"})
    with pytest.raises(TrainingError, match="expected checkpoint format 1, got 99"):
        Checkpoints(tmp_path).load()


def test_best_weights_are_kept_by_update(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for update in (5, 10, 15):
        checkpoints.save_best(update, {"weight": torch.full((2,), float(update))})
    checkpoints.keep_best([5, 15])
    assert torch.equal(checkpoints.load_best(15)["weight"], torch.full((2,), 15.0))
    with pytest.raises(TrainingError, match="best-00000010"):
        checkpoints.load_best(10)
