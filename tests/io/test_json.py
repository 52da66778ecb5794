"""JSON of other people: nesting beyond Python's stack is an error like any other, in every file of a model folder."""

import json
import re
from pathlib import Path

import pytest
from apart import ROOT

from seq2seq.config.typecheck import check_lines
from seq2seq.errors import ConfigError
from seq2seq.io.text import read_json

DEEP = "[" * 200_000


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 200_000, DEEP.encode(), b"\xff", "nope", ""])
def test_whatever_is_wrong_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_json(text)
    assert read_json(json.dumps({"a": [1]})) == {"a": [1]}


def test_there_is_one_reader_of_json() -> None:
    others = [
        path.name
        for path in (ROOT / "seq2seq").rglob("*.py")
        if path != ROOT / "seq2seq/io/text.py" and re.search(r"json\.loads?\(", path.read_text("utf-8"))
    ]
    assert others == []


@pytest.mark.parametrize("lines", ["two dogs", b"two", Path("a.txt"), {"a": 1}])
def test_one_text_is_no_list_of_lines(lines: object) -> None:
    with pytest.raises(ConfigError, match=r"lines: expected several, .* write \[...\]"):
        check_lines(lines)
    check_lines(iter(["a"]))
