"""A model folder gives back what was saved, or says what is wrong with it."""

import json
from pathlib import Path

import pytest
import torch
from apart import ROOT
from toy_folder import set_keys
from toy_search import greedy
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

import seq2seq
from seq2seq.errors import ModelError, StorageError
from seq2seq.model_folder import folder as model_folder
from seq2seq.translation.folder import load, save

STORED = ROOT / "tests" / "old_models"
SCORES = {"valid": {"bleu": 12.5}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "run" / "model", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, SCORES)
    return tmp_path / "run" / "model"


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


def test_the_folder_holds_readable_files_and_nothing_beside_it(folder: Path) -> None:
    names = ["README.md", "config.json", "model.safetensors", "tokenizer.model"]
    assert sorted(path.name for path in folder.iterdir()) == names
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


@pytest.mark.parametrize("failing", ["write_weights", "sync"])
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


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: no such folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="neither a model folder"):
        load(tmp_path)


def test_a_folder_becomes_a_translator_in_one_call(folder: Path) -> None:
    for search in (None, greedy(1.0, 3)):
        found = seq2seq.load(folder.parent, search, "fp32").translate(["the dog", "", "one"], source="en", target="de")
        assert [bool(one.text) for one in found] == [True, False, True]


@pytest.mark.parametrize("version", sorted(path.name for path in STORED.iterdir()))
def test_a_model_of_an_older_version_translates_as_it_did(version: str) -> None:
    """`translations.json` is what the version itself made of it, greedily."""
    then = json.loads((STORED / version / "translations.json").read_text("utf-8"))
    found = seq2seq.load(STORED / version, greedy(1.0, 2), "fp32").translate(then["lines"], source="en", target="de")
    assert [one.text for one in found] == then["translations"]


def test_what_a_newer_toolkit_adds_is_left_alone(folder: Path) -> None:
    set_keys(folder, tomorrow={"more": [1, None]})
    (folder / "tomorrow.safetensors").write_bytes(b"more")
    (folder / "tomorrow").mkdir()
    assert load(folder).directions == DIRECTIONS


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_weights_lie_in_the_file(folder: Path) -> None:
    """Nothing is copied, so that the pages of the file serve all processes that read it."""
    model = load(folder).model
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    mapped = [line[0].split("-") for line in lines if line[-1] == str(folder / "model.safetensors")]
    places = [range(int(start, 16), int(end, 16)) for start, end in mapped]
    assert all(any(tensor.data_ptr() in one for one in places) for tensor in model.state_dict().values())
