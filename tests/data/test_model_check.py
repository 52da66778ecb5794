"""Crafted tokenizer models are refused before sentencepiece sees them; edited ones never end the process."""

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
from apart import ROOT
from toy_text import toy_corpus
from toy_translator import toy_tokenizer

from seq2seq.data.tokenizer.model_check import LONGEST_PIECE, check_model
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ModelError

FUZZ = ROOT / "tests" / "fuzz_tokenizer.py"
EDITS = 300


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def piece(text: bytes, score: float = 0.0) -> bytes:
    return field(1, field(1, text) + varint(2 << 3 | 5) + struct.pack("<f", score))


def charsmap(trie: list[int], texts: bytes = b"a\0", size: int | None = None) -> bytes:
    units = struct.pack(f"<{len(trie)}I", *trie)
    return field(3, field(2, struct.pack("<I", len(units) if size is None else size) + units + texts))


@pytest.fixture(scope="module")
def normalising(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small model with a charsmap."""
    folder = tmp_path_factory.mktemp("model")
    toy_corpus(folder)
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "train.en"), model_prefix=str(folder / "m"), vocab_size=300, hard_vocab_limit=False,
        pad_id=0, unk_id=1, bos_id=2, eos_id=3, control_symbols=["<2en>"], byte_fallback=True, minloglevel=2,
        normalization_rule_name="nmt_nfkc",
    )  # fmt: skip
    return (folder / "m.model").read_bytes()


def test_what_sentencepiece_writes_is_accepted(normalising: bytes) -> None:
    check_model(normalising)
    for model in toy_tokenizer().models:
        check_model(model)


EMPTY = [0] * 256
CRAFTED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a long piece": (lambda m: m + piece(b"a" * 200_000), r"piece \d+ has 200,000 bytes"),
    "a piece a byte too long": (lambda m: m + piece(b"a" * (LONGEST_PIECE + 1)), "4,097 bytes"),
    "a score that is none": (lambda m: m + piece(b"a", float("nan")), "no finite number"),
    "an endless score": (lambda m: m + piece(b"a", float("inf")), "no finite number"),
    "a trie that points outside": (lambda m: m + charsmap([0x3FFFFF << 10, *EMPTY[1:]]), "points out of itself"),
    "a trie that points far outside": (
        lambda m: m + charsmap([(0x1FFFFF << 10) | 1 << 9, *EMPTY[1:]]),
        "out of itself",
    ),
    "a trie of no whole blocks": (lambda m: m + charsmap([0] * 100), "does not fit"),
    "a trie that is not there": (lambda m: m + charsmap([], size=1 << 31), "does not fit"),
    "a charsmap of two bytes": (lambda m: m + field(3, field(2, b"ab")), "does not fit"),
    "texts without an end": (lambda m: m + charsmap(EMPTY, b"abc"), "does not fit"),
    "a value behind the texts": (
        lambda m: m + charsmap([1 << 10 | 1 << 8, 0x80000000 | 1000, *EMPTY[2:]]),
        "points behind its texts",
    ),
    "a message that breaks off": (lambda m: m[:-1], "breaks off"),
    "a number without an end": (lambda m: m + b"\xff" * 20, "breaks off"),
    "nothing": (lambda m: b"", "damaged|PAD"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_models_are_refused(name: str, normalising: bytes) -> None:
    change, message = CRAFTED[name]
    with pytest.raises(ModelError, match=message):
        Tokenizer([change(normalising)])


@pytest.mark.slow
def test_edited_models_never_end_the_process(normalising: bytes, tmp_path: Path) -> None:
    for name, model in (("normalising", normalising), ("toy", toy_tokenizer().models[0])):
        (tmp_path / name).write_bytes(model)
        command = [sys.executable, str(FUZZ), str(tmp_path / name), "0", str(EDITS)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"edit {done.stdout.split()[-1]}: {done.stderr}"
