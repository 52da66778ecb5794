"""A model folder gives back what was saved, or says what is wrong with it."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

import seq2seq
from seq2seq import model_folder
from seq2seq.errors import ModelError, StorageError
from seq2seq.search.greedy import Greedy
from seq2seq.translation.model_folder import load, save

SCORES = {"valid": {"bleu": 12.5}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "run" / "model", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, SCORES)
    return tmp_path / "run" / "model"


def change(path: Path, **values: Any) -> None:
    """Sets keys of a config.json."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_is_saved_is_loaded(folder: Path) -> None:
    found = load(folder)
    wanted = random_model().state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in found.model.state_dict().items())
    assert found.directions == DIRECTIONS
    assert found.scores == SCORES
    assert found.tokenizer.models == toy_tokenizer().models
    assert found.toolkit == seq2seq.__version__
    assert not found.model.training
    # Tied weights stay tied, so that training can go on from the folder.
    assert found.model.source.weight is found.model.target.weight is found.model.output_weight


def test_the_folder_holds_three_readable_files_and_nothing_beside_it(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.model"]
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1
    assert list(folder.parent.iterdir()) == [folder]


def test_a_run_folder_leads_to_its_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(folder.parent).directions == DIRECTIONS
    monkeypatch.chdir(folder)
    assert load(Path()).directions == DIRECTIONS


def test_a_newer_model_replaces_the_older(folder: Path) -> None:
    save(folder, random_model(), random_node(), toy_tokenizer(), DIRECTIONS[:1], {})
    assert load(folder).directions == DIRECTIONS[:1]
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("failing", ["save_file", "sync"])
def test_a_failed_save_leaves_the_older_model(folder: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def fail(*values: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(model_folder, failing, fail)
    with pytest.raises(StorageError, match="model: disk full"):
        save(folder, random_model(), random_node(), toy_tokenizer(), DIRECTIONS[:1], {})
    assert load(folder).directions == DIRECTIONS
    assert list(folder.parent.iterdir()) == [folder]


def test_a_model_is_never_lost_between_the_two_renames(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def power_cut(path: Path, target: Path) -> Path:
        if target == folder:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", power_cut)
    with pytest.raises(KeyboardInterrupt):
        save(folder, random_model(), random_node(), toy_tokenizer(), DIRECTIONS[:1], {})
    monkeypatch.undo()
    assert not folder.exists()
    assert load(folder).directions == load(folder.parent).directions == DIRECTIONS
    save(folder, random_model(), random_node(), toy_tokenizer(), DIRECTIONS[:1], {})
    assert load(folder).directions == DIRECTIONS[:1]
    assert list(folder.parent.iterdir()) == [folder]


def truncate(name: str, size: int) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, size)


def set_key(**values: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder / "config.json", **values)


def set_node(**values: Any) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        node = json.loads((folder / "config.json").read_text())["model"]
        change(folder / "config.json", model={**node, **values})

    return apply


def set_weights(edit: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        weights = {name: tensor.clone() for name, tensor in load_file(folder / "model.safetensors").items()}
        edit(weights)
        save_file(weights, folder / "model.safetensors")

    return apply


DAMAGE = {
    "weights empty": (truncate("model.safetensors", 0), "cannot be read"),
    "weights cut": (truncate("model.safetensors", 4000), "cannot be read"),
    "weights gone": (lambda folder: (folder / "model.safetensors").unlink(), "cannot be read"),
    "tensor gone": (
        set_weights(lambda weights: weights.pop("output_bias")),
        "lacks 1 of the model's tensors.*output_bias",
    ),
    "tensor too many": (set_weights(lambda weights: weights.update(more=torch.ones(2))), "holds 1 tensors.*more"),
    "wrong shape": (
        set_weights(lambda weights: weights.update(output_bias=torch.ones(2))),
        r"output_bias: expected \(",
    ),
    "wrong type": (set_weights(lambda w: w.update(output_bias=w["output_bias"].half())), "output_bias.*float16"),
    "tokenizer gone": (lambda folder: (folder / "tokenizer.model").unlink(), "tokenizer.model"),
    "tokenizer cut": (truncate("tokenizer.model", 2000), "tokenizer|damaged"),
    "tokenizer empty": (truncate("tokenizer.model", 0), "tokenizer|damaged"),
    "config cut": (truncate("config.json", 100), "cannot be read as JSON"),
    "config no object": (lambda folder: (folder / "config.json").write_text("[]"), "no model folder of seq2seq"),
    "config bytes": (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe"), "cannot be read as JSON"),
    "config deep": (lambda folder: (folder / "config.json").write_text("[" * 100000), "cannot be read as JSON"),
    "newer format": (set_key(format=99, toolkit="9.0"), "format 99 of toolkit '9.0'"),
    "no model": (set_key(model=None), "model: expected a dict"),
    "no directions": (set_key(directions=[]), "directions: expected pairs"),
    "odd direction": (set_key(directions=["en-de"]), "directions: expected pairs"),
    "unknown language": (set_key(directions=[["en", "xx"]]), "does not know the language 'xx'"),
    "foreign code": (set_node(_target_="os.system", command="true"), "seq2seq"),
    "other code of ours": (set_node(_target_="seq2seq.errors.ModelError"), "describes no model"),
    "unknown key": (set_node(hiden=3), "hiden"),
    "huge": (set_node(width=10**9), "exceeds all weights"),
    "other size": (set_node(width=24, embedding=24), r"expected \(.*24.* found"),
    "other vocabulary": (set_node(source_vocabulary=17), "vocabulary sizes"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_and_hostile_folders_are_refused(folder: Path, damage: str) -> None:
    apply, message = DAMAGE[damage]
    apply(folder)
    with pytest.raises(ModelError, match=message):
        load(folder)


@given(st.sampled_from(["config.json", "model.safetensors"]), st.integers(0, 3000), st.integers(0, 255))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_gives_a_model_or_a_model_error(folder: Path, name: str, place: int, byte: int) -> None:
    broken = folder.parent / "broken"
    shutil.copytree(folder, broken, dirs_exist_ok=True)
    content = bytearray((broken / name).read_bytes())
    content[place % len(content)] = byte
    (broken / name).write_bytes(content)
    with suppress(ModelError):
        load(broken)


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: no such folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="neither a model folder"):
        load(tmp_path)


def test_a_folder_becomes_a_translator_in_one_call(folder: Path) -> None:
    for search in (None, Greedy(1.0, 3, 0.0, 0)):
        found = seq2seq.load(folder.parent, search, "fp32").translate(["the dog", "", "one"], source="en", target="de")
        assert [bool(one.text) for one in found] == [True, False, True]
