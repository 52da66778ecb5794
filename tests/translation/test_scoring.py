"""Pairs of lines get the score that a search gives them; N pairs in are N lines out."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from toy_search import greedy
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

from seq2seq.errors import ConfigError, DataError
from seq2seq.special_tokens import EOS
from seq2seq.translation.folder import save
from seq2seq.translation.scoring import PairScore, PairScorer, Scored, score_pairs
from seq2seq.translation.translator import Translator

LINES = ["the dog sees the house.", "two", "big house big dog", "three é dogs 🐕 see", "the big dog " * 5]
PAIRS = [("the dog", "das Hund"), ("", ""), ("one", " "), ("\t", "eins"), ("two dogs.", "zwei"), ("one " * 40, "eins")]


def translator() -> Translator:
    parts = (random_model(), toy_tokenizer(), greedy(1.0, 2), DIRECTIONS, 60, 60)
    return Translator(*parts, torch.float32, torch.device("cpu"))


def scored(pairs: list[tuple[str, str]], longest: int = 30, alignments: bool = False) -> list[PairScore]:
    return [
        one for [one] in (PairScorer(translator(), longest).score([[pair] for pair in pairs], "en", "de", alignments))
    ]


@torch.inference_mode()
def test_a_translation_has_the_score_that_a_search_would_give_it() -> None:
    """A search adds what `start` and `step` say of one token after the other."""
    translations = ["das Haus sieht.", "eins", "drei große Hund 🐕", "das das", "zwei é"]
    tokenizer, model = toy_tokenizer(), random_model()
    tag = tokenizer.tag_id("de")
    for line, translation in zip(LINES, translations, strict=True):
        [source], [target] = tokenizer.encode([line], "en", "source"), tokenizer.encode([translation], "de", "target")
        row = torch.tensor([[tag, *source, EOS]])
        memory, state = model.start(row, torch.ones_like(row, dtype=torch.bool))
        expected = []
        for before, token in itertools.pairwise([tag, *target, EOS]):
            likely, state = model.step(torch.tensor([[before]]), state, memory)
            expected.append(float(likely[0, 0, token]))
        [score] = scored([(line, translation)], 100)
        assert [token.score for token in score.tokens] == pytest.approx(expected, abs=1e-4)
        assert score.log_probability == pytest.approx(sum(expected), abs=1e-3)
        assert [token.piece for token in score.tokens] == [*tokenizer.spelled(translation, "target"), "</s>"]


def test_neighbours_change_nothing_and_every_pair_has_its_line() -> None:
    alone = scored(PAIRS, alignments=True)
    [together] = PairScorer(translator(), 30).score([PAIRS], "en", "de", True)
    ok, blank, too_long = Scored.OK, Scored.BLANK, Scored.TOO_LONG
    assert [one.status for one in together] == [ok, blank, blank, blank, ok, too_long]
    for one, other in zip(alone, together, strict=True):
        assert (one.status, one.alignment) == (other.status, other.alignment)
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
        assert [token.piece for token in one.tokens] == [token.piece for token in other.tokens]


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ConfigError, match="source=en target=fr: this model translates"):
        PairScorer(translator(), 30).score([], "en", "fr")
    with pytest.raises(ConfigError, match="max_length: expected a positive int, got 0"):
        PairScorer(translator(), 0)
    blind = translator()
    blind.searcher.model = object()  # type: ignore[assignment]
    with pytest.raises(ConfigError, match="no model that could read"):
        list(PairScorer(blind, 30).score([PAIRS], "en", "de"))


def write(folder: Path) -> None:
    (folder / "pairs").write_text(
        "".join(f"{line.strip()}\t{other}\n" if line.strip() else "\n" for line, other in PAIRS)
    )
    (folder / "in").write_text("".join(f"{line.strip()}\n" for line, _ in PAIRS))
    (folder / "out").write_text("".join(f"{other if line.strip() else ''}\n" for line, other in PAIRS))


def test_files_of_pairs_and_pairs_of_files_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    scorer = PairScorer(translator(), 30)
    one = score_pairs(scorer, "en", "de", tmp_path / "pairs", None, tmp_path / "text", "text", tmp_path / "linked")
    two = score_pairs(scorer, "en", "de", tmp_path / "in", tmp_path / "out", tmp_path / "json", "json", None)
    assert one == two and (one.pairs, one.blank, one.too_long) == (6, 3, 1)
    assert "2 of 6 pairs scored (3 blank, 1 too long): log-probability" in capsys.readouterr().err
    text = [line.split("\t") for line in (tmp_path / "text").read_text().split("\n")[:-1]]
    objects = [json.loads(line) for line in (tmp_path / "json").read_text().splitlines()]
    assert [row[2] for row in text] == [found["status"] for found in objects]
    assert len((tmp_path / "linked").read_text().split("\n")) == 7
    total = 0.0
    for row, found in zip(text, objects, strict=True):
        assert row[:2] == ["", ""] or [float(value) for value in row[:2]] == [
            found["log_probability"],
            found["perplexity"],
        ]
        assert math.fsum(value for _, value in found.get("tokens", [])) == pytest.approx(
            found.get("log_probability", 0), abs=1e-3
        )
        total += found.get("log_probability", 0)
    assert -one.nats == pytest.approx(total, abs=1e-3)
    assert json.loads(one.to_json())["nats_per_token"] == pytest.approx(one.nats / one.tokens)
    assert one.perplexity == pytest.approx(math.exp(one.nats / one.tokens))


@pytest.mark.parametrize(
    ("pairs", "others", "message"),
    [
        ("a\tb\nc\n", None, r"pairs:2: expected `line TAB translation`, got 1 columns"),
        ("a\tb\tc\n", None, r"pairs:1: expected `line TAB translation`, got 3 columns"),
        ("a\nb\n", "c\n", r"pairs has 2 lines, .*out 1; .*: up to its last line .*out seems to fit"),
        ("a\n", "c\nd\n", r"pairs has 1 lines, .*out 2; .*: up to its last line .*pairs seems to fit"),
    ],
)
def test_what_is_no_pair_is_named(tmp_path: Path, pairs: str, others: str | None, message: str) -> None:
    (tmp_path / "pairs").write_text(pairs)
    (tmp_path / "out").write_text(others or "")
    given = (tmp_path / "pairs", None if others is None else tmp_path / "out")
    with pytest.raises(DataError, match=message):
        score_pairs(PairScorer(translator(), 30), "en", "de", *given, tmp_path / "scores", "text", None)
    assert not (tmp_path / "scores").exists()


def test_the_command_scores_pairs_with_a_translator(
    seq2seq: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    save(tmp_path / "model", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    asked = ["score", "model=model", "source=en", "target=de", "cores=1"]
    done = seq2seq([*asked, "totals=sums", "alignments=linked"], tmp_path, "the dog\tdas Hund\n\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\tok\n\t\tblank\n") and done.stdout.count("\n") == 2
    assert json.loads((tmp_path / "sums").read_text())["pairs"] == 2
    done = seq2seq([*asked, "top_k=2"], tmp_path, "")
    assert done.returncode == 1 and "top_k: not supported by model, which is a translator" in done.stderr
