"""A model exported with smaller weights is the same model to rounding, a quarter of the size, and stays so."""

import json
from pathlib import Path

import pytest
import torch
from toy_folder import node
from toy_labels import LABELS, network, toy_tokenizer
from toy_labels import node as labelled_node
from toy_search import greedy
from toy_translator import DIRECTIONS, random_model, random_node
from toy_translator import toy_tokenizer as text_tokenizer

import seq2seq
from seq2seq.cli.app import main
from seq2seq.model_folder.folder import convert, read
from seq2seq.model_folder.weights import quantise, read_weights
from seq2seq.tasks.labelling import folder as labelled
from seq2seq.translation.folder import load, save

pytestmark = pytest.mark.slow

ALLOWED = {"fp32": 0.0, "bf16": 2**-8, "int8": 0.5 / 127}  # of the largest number of a row, what rounding may cost


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model") / "full"
    save(place, random_model(), random_node(), text_tokenizer(), DIRECTIONS, {"valid": {"bleu": 12.5}})
    (place / "words.tsv").write_text("one\teins\n")  # what a newer toolkit may put there
    return place


def exported(folder: Path, to: Path, precision: str) -> Path:
    assert main(["export", f"model={folder}", f"output={to}", f"precision={precision}"]) == 0
    return to


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("precision", ALLOWED)
def test_weights_are_the_same_to_rounding(folder: Path, tmp_path: Path, precision: str) -> None:
    found, wanted = load(exported(folder, tmp_path / "small", precision)), random_model().state_dict()
    for name, tensor in found.model.state_dict().items():
        assert tensor.dtype == torch.float32
        allowed = 0.0 if tensor.ndim == 1 or min(tensor.shape) < 8 else ALLOWED[precision]
        error = (tensor - wanted[name]).abs().amax(-1)
        assert (error <= wanted[name].abs().amax(-1) * allowed * 1.001).all(), name
    assert found.model.source.weight is found.model.output_weight
    assert (found.directions, found.scores) == (DIRECTIONS, {"valid": {"bleu": 12.5}})
    assert found.tokenizer.models == text_tokenizer().models
    assert (tmp_path / "small" / "words.tsv").read_text() == "one\teins\n"


def test_whole_numbers_survive_being_read(folder: Path, tmp_path: Path) -> None:
    """Whoever quantises what was read computes with the integers of the file."""
    exported(folder, tmp_path / "small", "int8")
    weights = read_weights(tmp_path / "small" / "model.safetensors", "int8")
    again = {name: quantise(tensor) for name, tensor in weights.items() if tensor.ndim == 2}
    wanted = {name: quantise(random_model().state_dict()[name]) for name in again}
    for name, (numbers, scales) in again.items():
        if min(numbers.shape) >= 8:
            assert torch.equal(numbers, wanted[name][0]) and torch.equal(scales, wanted[name][1]), name


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_the_same_export_gives_the_same_bytes(folder: Path, tmp_path: Path, precision: str) -> None:
    first = exported(folder, tmp_path / "first", precision)
    assert files(first) == files(exported(folder, tmp_path / "second", precision))
    assert files(first) == files(exported(first, tmp_path / "third", precision))
    assert {path.name for path in first.iterdir()} == {path.name for path in folder.iterdir()}


def test_older_toolkits_read_fp32_and_refuse_the_rest_in_words(folder: Path, tmp_path: Path) -> None:
    """Those of format 1 look at `format` first, then at the shapes and types of all tensors."""
    formats = {precision: exported(folder, tmp_path / precision, precision) for precision in ALLOWED}
    said = {name: json.loads((place / "config.json").read_text("utf-8")) for name, place in formats.items()}
    assert {name: one["format"] for name, one in said.items()} == {"fp32": 1, "bf16": 2, "int8": 2}
    assert {name: one["precision"] for name, one in said.items()} == {name: name for name in ALLOWED}
    weights = "model.safetensors"
    assert (tmp_path / "fp32" / weights).read_bytes() == (folder / weights).read_bytes()
    sizes = [(tmp_path / precision / weights).stat().st_size for precision in ("int8", "bf16", "fp32")]
    assert sizes == sorted(sizes) and sizes == [one["bytes"] for one in (said["int8"], said["bf16"], said["fp32"])]


def test_a_small_model_of_another_kind_is_used_like_the_full_one(tmp_path: Path) -> None:
    tokenizer = toy_tokenizer()
    model, built = network("train_classifier", tokenizer.facts), labelled_node("train_classifier")
    labelled.save(tmp_path / "full", "classifier", model, built, tokenizer, {})
    exported(tmp_path / "full", tmp_path / "small", "int8")
    found = labelled.load(tmp_path / "small", "classifier")
    assert found.tokenizer.facts == tokenizer.facts and (tmp_path / "small" / "labels.json").exists()
    assert LABELS[0] in (tmp_path / "small" / "labels.json").read_text("utf-8")


def test_translations_of_a_small_model_come_line_by_line(folder: Path, tmp_path: Path) -> None:
    small = exported(folder, tmp_path / "small", "int8")
    found = seq2seq.load(small, greedy(1.0, 3), "fp32").translate(["the dog", "", "one"], source="en", target="de")
    assert [bool(one.text) for one in found] == [True, False, True]


@pytest.mark.parametrize(
    ("output", "message"),
    [("full", "would overwrite the input model"), ("text", "something else than a model"), ("file", "is no folder")],
)
def test_nothing_but_an_older_export_is_overwritten(
    folder: Path, tmp_path: Path, output: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    convert(read(folder, "translator"), tmp_path / "full", "fp32")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "precious").touch()
    (tmp_path / "file").touch()
    assert main(["export", f"model={tmp_path / 'full'}", f"output={tmp_path / output}"]) == 1
    assert message in capfd.readouterr().err
    assert (tmp_path / "text" / "precious").exists()
    exported(tmp_path / "full", tmp_path / "new", "int8")
    exported(tmp_path / "full", tmp_path / "new", "bf16")
    assert load(tmp_path / "new").model is not None


def test_a_damaged_model_is_not_handed_on(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    convert(read(folder, "translator"), tmp_path / "full", "fp32")
    weights = tmp_path / "full" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    assert main(["export", f"model={tmp_path / 'full'}", f"output={tmp_path / 'small'}"]) == 1
    assert "is not as it was written" in capfd.readouterr().err and not (tmp_path / "small").exists()
    convert(read(folder, "translator"), tmp_path / "other", "fp32")
    node(width=24, embedding=24)(tmp_path / "other")
    assert main(["export", f"model={tmp_path / 'other'}", f"output={tmp_path / 'small'}"]) == 1
    assert "belong to another config.json" in capfd.readouterr().err and not (tmp_path / "small").exists()
