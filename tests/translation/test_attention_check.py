"""A rather short translation that leaves much of its source unattended is incomplete."""

from pathlib import Path

import pytest
import torch
from toy_network import toy_model
from toy_translator import DIRECTIONS, Echo, random_model, toy_tokenizer

from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import prepare
from seq2seq.network.alignment import TeacherForcing
from seq2seq.network.model import Model
from seq2seq.search.greedy import Greedy
from seq2seq.translation.checks.completeness import Lengths, attended, attention_shares, shared, with_attention
from seq2seq.translation.details import TokenPair
from seq2seq.translation.translation import Status
from seq2seq.translation.translator import Translator

LINES = ["the dog sees the big house", "one dog sees two", "two big dog"]
DOUBTFUL = Lengths(ratio=1e5, shortest=-4.5e5)  # of 6 to 20 pieces


def test_every_piece_that_was_looked_at_counts_once() -> None:
    each = torch.eye(4)
    assert attended(each) == attended(torch.cat([each, each])) == 1
    assert attended(each[:3]) == 0.75
    assert attended(each[:2]) < attended(torch.full((2, 4), 0.25)) < 1, "a little attention is more than none"


def test_shares_are_those_of_the_pairs_whatever_their_order() -> None:
    forcing, device = TeacherForcing(random_model()), torch.device("cpu")
    rows = toy_tokenizer().encode(LINES, "en", "source")
    pairs = [TokenPair(row, row[:2], True) for row in rows]
    shares = attention_shares(forcing, pairs, toy_tokenizer().tag_id("de"), device)
    assert len(set(shares)) == len(LINES) and all(0 < one <= 1 for one in shares)
    alone = [attention_shares(forcing, [pair], toy_tokenizer().tag_id("de"), device)[0] for pair in pairs]
    assert alone == pytest.approx(shares, abs=1e-5)


def incomplete(model: Model | Echo, lengths: Lengths) -> list[bool]:
    """Of each line."""
    search = Greedy(1.0, 2, 0.0, 0)
    translator = Translator(
        model, toy_tokenizer(), search, DIRECTIONS, 100, 500, torch.float32, torch.device("cpu"), max_sentences=1
    )
    translator.lengths = {("en", "de"): lengths}
    return [Status.INCOMPLETE in one.notes for one in translator.translate(LINES, "en", "de")]


def test_only_short_translations_are_asked_what_they_left_out() -> None:
    assert incomplete(random_model(), DOUBTFUL) == [False] * 3, "their length alone does not tell"
    assert incomplete(random_model(), DOUBTFUL._replace(attended=1.1)) == [True] * 3
    assert incomplete(random_model(), DOUBTFUL._replace(attended=0.0)) == [False] * 3
    assert incomplete(random_model(), Lengths(ratio=0.01, shortest=-0.01, attended=1.1)) == [False] * 3, "long enough"


def test_networks_without_attention_are_judged_by_length_alone() -> None:
    assert incomplete(Echo(), DOUBTFUL._replace(attended=1.1)) == [False] * 3


def test_what_is_usual_is_learnt_from_training_text(tmp_path: Path) -> None:
    for language in ("en", "de"):
        (tmp_path / f"train.{language}").write_text("".join(f"{line}\n" for line in LINES), "utf-8")
    corpus = Files(str(tmp_path), ["en-de"], ["en", "de"], ["train"], [], [])
    store = prepare(corpus, {}, toy_tokenizer(), tmp_path / "cache", 1000).train
    lengths = {("en", "de"): Lengths(2, 40, 1.0, -2.0)}
    learnt = with_attention(lengths, random_model(), store, toy_tokenizer())["en", "de"]
    rows = toy_tokenizer().encode(LINES, "en", "source"), toy_tokenizer().encode(LINES, "de", "target")
    pairs = [TokenPair(source, target, True) for source, target in zip(*rows, strict=True)]
    expected = attention_shares(
        TeacherForcing(random_model()), pairs, toy_tokenizer().tag_id("de"), torch.device("cpu")
    )
    assert learnt == Lengths(2, 40, 1.0, -2.0, pytest.approx(min(expected), abs=1e-3))
    assert with_attention(lengths, toy_model(attention="none"), store, toy_tokenizer()) == lengths


def test_models_that_disagree_ask_for_the_least() -> None:
    one, other = Lengths(attended=0.7), Lengths(attended=0.6)
    direction = ("en", "de")
    assert shared([{direction: one}, {direction: other}])[direction].attended == 0.6
    assert shared([{direction: one}, {direction: Lengths()}])[direction].attended is None
