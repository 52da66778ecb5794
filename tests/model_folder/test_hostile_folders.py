"""Damaged and hostile model folders are refused in words; no code of theirs runs, and none asks for much memory."""

import hashlib
import json
import os
import resource
import shutil
import struct
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_folder import WEIGHTS, content, header, key, node, part, set_keys, truncate, weights
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

from seq2seq.errors import ModelError
from seq2seq.model_folder.folder import convert, read
from seq2seq.translation.folder import TranslatorFolder, load, save


class Whole(NamedTuple):
    """A folder as it was written, and what it gives."""

    folder: Path
    found: TranslatorFolder


FILES = ("config.json", WEIGHTS, "tokenizer.model")
LSTM = "encoder.recurrent.0.rightward.weight"  # a matrix


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small translator's folder of each precision."""
    folder = tmp_path_factory.mktemp("made")
    save(folder / "fp32", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {"valid": {"bleu": 12.5}})
    convert(read(folder / "fp32", "translator"), folder / "int8", "int8")
    return folder


def unsealed(made: Path, folder: Path) -> Path:
    """A copy without checksums, as whoever means harm would make it."""
    shutil.copytree(made, folder)
    set_keys(folder)
    return folder


def pipe(name: str) -> object:
    def apply(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return apply


DAMAGE = {
    "weights empty": (truncate(WEIGHTS, 0), "cannot be read"),
    "weights cut": (truncate(WEIGHTS, 4000), "cannot be read"),
    "weights cut in the last number": (lambda f: os.truncate(f / WEIGHTS, (f / WEIGHTS).stat().st_size - 1), "cannot"),
    "weights too long": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes() + b"0"), "cannot"),
    "weights gone": (lambda folder: (folder / WEIGHTS).unlink(), "cannot be read"),
    "weights a folder": (lambda f: ((f / WEIGHTS).unlink(), (f / WEIGHTS).mkdir()), "cannot be read"),
    "weights a pipe": (pipe(WEIGHTS), "is no file"),
    "tokenizer a pipe": (pipe("tokenizer.model"), "is no file"),
    "tokenizer a hole": (truncate("tokenizer.model", 1 << 40), "larger than"),
    "header of an exabyte": (content(WEIGHTS, struct.pack("<Q", 1 << 60) + b"{}"), "header claims"),
    "header beyond the file": (content(WEIGHTS, struct.pack("<Q", 1 << 20) + b"{}"), "cannot be read"),
    "header nested": (content(WEIGHTS, struct.pack("<Q", 100000) + b"[" * 100000), "cannot be read"),
    "tensors overlap": (header(lambda e: e["output_bias"].update(data_offsets=[0, 4])), "cannot be read"),
    "tensor outside": (
        header(lambda e: e["output_bias"].update(data_offsets=[1 << 40, (1 << 40) + 4])),
        "cannot be read",
    ),
    "shape of another size": (header(lambda e: e["output_bias"].update(shape=[1 << 62, 8])), "cannot be read"),
    "dtype unknown": (header(lambda e: e["output_bias"].update(dtype="PICKLE")), "cannot be read"),
    "tensor gone": (weights(lambda w: w.pop("output_bias")), "lacks 1 of the model's tensors.*output_bias"),
    "tensor too many": (weights(lambda w: w.update(more=torch.ones(2))), "holds 1 tensors.*more"),
    "wrong shape": (weights(lambda w: w.update(output_bias=torch.ones(2))), r"output_bias: expected \("),
    "wrong type": (weights(lambda w: w.update(output_bias=w["output_bias"].half())), "output_bias.*float16"),
    "not a number": (weights(lambda w: w["output_bias"].fill_(float("nan"))), "output_bias: .* not finite"),
    "infinite": (weights(lambda w: w["output_bias"].neg_().fill_(float("inf"))), "output_bias: .* not finite"),
    "tokenizer gone": (lambda folder: (folder / "tokenizer.model").unlink(), "tokenizer.model"),
    "tokenizer cut": (truncate("tokenizer.model", 2000), "tokenizer|damaged"),
    "tokenizer empty": (truncate("tokenizer.model", 0), "tokenizer|damaged"),
    "tokenizer garbage": (content("tokenizer.model", bytes(range(256)) * 9), "tokenizer|damaged"),
    "config cut": (truncate("config.json", 100), "cannot be read as JSON"),
    "config no object": (content("config.json", b"[]"), "no model folder of seq2seq"),
    "config bytes": (content("config.json", b"\xff\xfe"), "cannot be read as JSON"),
    "config deep": (content("config.json", b"[" * 100000), "cannot be read as JSON"),
    "config a hole": (truncate("config.json", 1 << 40), "cannot be read as JSON"),
    "newer format": (key(format=99, toolkit="9.0"), "format 99 of toolkit '9.0'"),
    "odd format": (key(format=[]), r"format \[\]"),
    "other precision": (key(precision="int4"), "precision: expected .*, got 'int4'"),
    "odd checksums": (lambda f: (f / "config.json").write_text(json.dumps({**config(f), "sha256": 3})), "sha256"),
    "checksum elsewhere": (lambda f: checksums(f, {"../config.json": "0"}), "not as it was written"),
    "no model": (key(model=None), "model: expected a dict"),
    "deep model": (lambda f: deep(f, 900), "nested too deeply|cannot be read|describes no model"),
    "no directions": (key(directions=[]), "directions: expected pairs"),
    "odd direction": (key(directions=["en-de"]), "directions: expected pairs"),
    "unknown language": (key(directions=[["en", "xx"]]), "does not know the language 'xx'"),
    "foreign code": (node(_target_="os.system", command="true"), "'os.system' is no part of a network"),
    "our commands": (
        part("encoder", cell={"_target_": "seq2seq.cli.app.main", "arguments": ["--help"]}),
        "cli.app.main.* no pa",
    ),
    "our files": (node(word_dropout={"_target_": "seq2seq.io.atomic.sync", "path": "/"}), "io.atomic.sync. is no part"),
    "no target": (node(_target_=None), "None is no part"),
    "another part": (node(_target_="seq2seq.network.cell.lstm.LSTM"), "describes no model"),
    "unknown key": (node(hiden=3), "hiden"),
    "huge": (node(width=10**9), "exceeds all weights"),
    "huge product": (node(width=9000, embedding=9000), "larger ones, than there are weights"),
    "endless layers": (part("encoder", layers=9999), "more layers"),
    "other size": (node(width=24, embedding=24), r"expected \(.*24.* got"),
    "other vocabulary": (node(source_vocabulary=17), "vocabulary sizes"),
}


def config(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "config.json").read_text("utf-8"))
    return found


def checksums(folder: Path, sums: dict[str, str]) -> None:
    """These instead of the right ones, beside the right one of config.json."""
    bare = {name: value for name, value in config(folder).items() if name != "sha256"}
    own = hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()
    (folder / "config.json").write_text(json.dumps({**bare, "sha256": {**sums, "config.json": own}}))


def deep(folder: Path, levels: int) -> None:
    """A node inside a node inside a node."""
    text = json.dumps({**config(folder), "sha256": {}})
    nested = '{"a":' * levels + "1" + "}" * levels
    (folder / "config.json").write_text(text.replace('"dropout": 0.2', f'"dropout": {nested}'))


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_and_hostile_folders_are_refused(made: Path, tmp_path: Path, damage: str) -> None:
    apply, message = DAMAGE[damage]
    folder = unsealed(made / "fp32", tmp_path / "model")
    apply(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=message):
        load(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kB


INT8 = {
    "no scales": (lambda w: w.pop(f"{LSTM}.scales"), "scales: is missing"),
    "scales of another shape": (lambda w: w.update({f"{LSTM}.scales": torch.ones(3)}), r"scales: expected \d+ numbers"),
    "scales of another type": (
        lambda w: w.update({f"{LSTM}.scales": w[f"{LSTM}.scales"].double()}),
        "scales: expected .*float64",
    ),
    "a scale of zero": (lambda w: w[f"{LSTM}.scales"][0].fill_(0), "positive finite"),
    "a negative scale": (lambda w: w[f"{LSTM}.scales"].neg_(), "positive finite"),
    "an infinite scale": (lambda w: w[f"{LSTM}.scales"].fill_(float("inf")), "positive finite"),
    "scales too large": (lambda w: w[f"{LSTM}.scales"].fill_(1e38), "not finite"),
    "-128": (lambda w: w[LSTM][0, 0].fill_(-128), "at least -127"),
    "a matrix in fp32": (lambda w: (w.update({LSTM: w[LSTM].float()}), w.pop(f"{LSTM}.scales")), "expected int8"),
    "a vector in int8": (lambda w: w.update(output_bias=w["output_bias"].char()), "expected fp32"),
    "scales of nothing": (lambda w: w.update({"more.scales": torch.ones(3)}), "holds 1 tensors"),
    "scales of a vector": (lambda w: w.update({"output_bias.scales": torch.ones(3)}), "without being int8"),
}


@pytest.mark.parametrize("damage", INT8)
def test_odd_int8_weights_are_refused(made: Path, tmp_path: Path, damage: str) -> None:
    edit, message = INT8[damage]
    folder = unsealed(made / "int8", tmp_path / "model")
    weights(edit)(folder)
    with pytest.raises(ModelError, match=message):
        load(folder)


@pytest.fixture(scope="module", params=["fp32", "int8"])
def whole(request: pytest.FixtureRequest, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole") / "model"
    shutil.copytree(made / request.param, folder)
    return Whole(folder, load(folder))


def same(one: TranslatorFolder, other: TranslatorFolder) -> bool:
    """Whether two folders are in no way different for whoever uses them."""
    ours, theirs = one.model.state_dict(), other.model.state_dict()
    equal = ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    return (
        equal
        and one._replace(model=None, tokenizer=None) == other._replace(model=None, tokenizer=None)
        and (  # type: ignore[arg-type]
            one.tokenizer.models == other.tokenizer.models
        )
    )


@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(0, 8))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_bit_and_any_cut_is_noticed(whole: Whole, name: str, place: float, bit: int) -> None:
    """Or changes nothing, such as a space in config.json; bit 8 stands for cutting the file off there."""
    folder, wanted = whole
    path = folder / name
    right = path.read_bytes()
    number = int(place * len(right))
    broken = bytearray(right)
    if bit < 8:
        broken[number] ^= 1 << bit
    path.write_bytes(broken[:number] if bit == 8 else broken)
    try:
        assert same(load(folder), wanted)
    except ModelError:
        pass
    finally:
        path.write_bytes(right)


@given(st.sampled_from(FILES), st.floats(0, 1, exclude_max=True), st.integers(0, 255))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_without_checksums_any_changed_byte_gives_a_model_or_a_model_error(
    whole: Whole, name: str, place: float, byte: int
) -> None:
    folder, _ = whole
    right = {one: (folder / one).read_bytes() for one in FILES}
    set_keys(folder)
    broken = bytearray((folder / name).read_bytes())
    broken[int(place * len(broken))] = byte
    (folder / name).write_bytes(broken)
    try:
        load(folder)
    except ModelError:
        pass
    finally:
        for one, text in right.items():
            (folder / one).write_bytes(text)
