"""YAML nodes become checked objects, and every mistake is named with its full key path."""

import functools
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from seq2seq.config.build import build, call
from seq2seq.errors import ConfigError


class Cell:
    def __init__(self, width: int, bias: bool, dropout: float = 0.0) -> None:
        if width < 1:
            raise ConfigError(f"width: expected a positive int, got {width}")
        self.width, self.bias, self.dropout = width, bias, dropout


class Stack:
    def __init__(
        self,
        hidden_size: int,
        cell: Callable[..., Cell],
        kind: Literal["up", "down"] = "up",
        sizes: tuple[int, ...] = (),
        first: Cell | None = None,
        others: list[Cell] | None = None,
        options: dict[str, float] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.hidden_size, self.cell, self.kind, self.sizes = hidden_size, cell, kind, sizes
        self.first, self.others, self.options, self.folder = first, others, options, folder


@pytest.fixture(autouse=True)
def toy_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of seq2seq that exists for this test only."""
    module = types.ModuleType("seq2seq.toy")
    for one in (Cell, Stack):
        monkeypatch.setattr(one, "__module__", "seq2seq.toy")
        setattr(module, one.__name__, one)
    module.system = functools.partial  # type: ignore[attr-defined] - imported there, not defined there
    monkeypatch.setitem(sys.modules, "seq2seq.toy", module)


CELL = {"_target_": "seq2seq.toy.Cell", "width": 3, "bias": True}


def stack(**changes: object) -> dict[str, object]:
    return {"_target_": "seq2seq.toy.Stack", "hidden_size": 4, "cell": {**CELL, "_partial_": True}, **changes}


def test_builds_nested_nodes_lists_and_partials() -> None:
    built = build(stack(first=CELL, others=[CELL, {**CELL, "width": 5}]))
    assert built.first.width == 3 and [one.width for one in built.others] == [3, 5]
    assert isinstance(built.cell, functools.partial) and built.cell(width=7).width == 7


def test_extra_wins_and_is_checked() -> None:
    assert build(CELL, {"width": 9}).width == 9
    with pytest.raises(ConfigError, match=r"unknown key cell\.widht, did you mean width\?"):
        build(CELL, {"widht": 9}, where="cell")


@pytest.mark.parametrize("where", ["translator", "train.translator"])
def test_a_key_of_old_is_told_what_it_is_now(where: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{where}\.usual_source is no key any more: write translator\.max_sent"):
        build({**CELL, "usual_source": 3}, where=where)


def test_values_take_the_annotated_type() -> None:
    built = build(stack(sizes=[1, 2], options={"a": 1}, folder="runs/x"))
    assert built.sizes == (1, 2) and built.folder == Path("runs/x")
    assert isinstance(built.options["a"], float)
    assert isinstance(build({**CELL, "dropout": 1}).dropout, float)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (stack(hiden_size=4), r"unknown key model\.hiden_size, did you mean hidden_size\?"),
        (stack(hidden_size="two"), r"model\.hidden_size: expected int, got 'two'"),
        (stack(hidden_size=2.5), r"model\.hidden_size: expected int, got 2\.5"),
        (stack(hidden_size=True), r"model\.hidden_size: expected int, got True"),
        (stack(hidden_size=None), r"model\.hidden_size: expected int, got None"),
        (stack(kind="sideways"), r"model\.kind: expected one of up, down, got 'sideways'"),
        (stack(sizes=[1, "x"]), r"model\.sizes\[1\]: expected int, got 'x'"),
        (stack(sizes="12"), r"model\.sizes: expected a list of int, got '12'"),
        (stack(cell="lstm"), r"model\.cell: .*_partial_: true.*cell@decoder_cell=gru.*, got 'lstm'"),
        (stack(first={"width": 3}), r"model\.first: expected a node that builds a Cell or null"),
        (stack(first={**CELL, "bias": 1}), r"model\.first\.bias: expected bool, got 1"),
        (stack(others=[CELL, {**CELL, "widht": 1}]), r"unknown key model\.others\[1\]\.widht, did you mean width\?"),
        (stack(others=[{**CELL, "width": 0}]), r"model\.others\[0\]: width: expected a positive int, got 0"),
        (stack(options={"a": "b"}), r"model\.options\.a: expected float, got 'b'"),
        (stack(_partial_="yes"), r"model\._partial_: expected true or false"),
        ({"_target_": "seq2seq.toy.Stack"}, r"model: missing model\.hidden_size, model\.cell"),
        ({"hidden_size": 1}, r"model: expected a node with the key _target_, got the keys hidden_size"),
    ],
)
def test_mistakes_name_their_key(node: Mapping[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(node, where="model")


@pytest.mark.parametrize(
    "target",
    ["os.system", "seq2seq", "seq2seq.toy.system", "seq2seq.toy.Missing", "seq2seq.nowhere.X", "seq2seq.toy.Cell.x", 3],
)
def test_only_what_seq2seq_defines_is_built(target: object) -> None:
    with pytest.raises(ConfigError, match="_target_: "):
        build({"_target_": target})


def test_call_checks_keys_and_leaves_nodes_unbuilt() -> None:
    def command(model: dict[str, Any], seed: int) -> tuple[object, int]:
        return model, seed

    assert call(command, {"model": CELL, "seed": 1}) == (CELL, 1)
    with pytest.raises(ConfigError, match=r"seed: expected int, got 'one'"):
        call(command, {"model": CELL, "seed": "one"})


def test_a_part_that_lacks_arguments_is_named() -> None:
    cell = build({"_target_": "seq2seq.network.cell.lstm.LSTM", "_partial_": True}, where="encoder.cell")
    with pytest.raises(ConfigError, match=r"encoder\.cell: LSTM: missing a required argument: .*check the arguments"):
        cell(8, 8)
