"""A balanced sample: every language has its share, whatever its share of the text is."""

import json
from collections import Counter

import numpy as np
import pytest
from toy_text import sentences, vocabulary

from seq2seq.data.corpus.jsonl import JSONL
from seq2seq.data.dataset import store as module
from seq2seq.data.dataset.prepare import PreparedCorpus, prepare
from seq2seq.data.dataset.store import balanced_sample


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    """1,000 pairs of English and German, one in a hundred English and French, both ways."""
    folder = tmp_path_factory.mktemp("balanced")
    text = sentences(1000, ["en", "de", "fr"], longest=4)
    with (folder / "train.jsonl").open("w", encoding="utf-8") as file:
        for number, (english, german, french) in enumerate(zip(text["en"], text["de"], text["fr"], strict=True)):
            record = {"en": english, "fr": french} if number % 100 == 50 else {"en": english, "de": german}
            file.write(json.dumps(record) + "\n")
    corpus = JSONL(str(folder), ["en-de", "de-en", "en-fr", "fr-en"], [], ["train"], [], [])
    return prepare(corpus, {}, vocabulary(), folder / "cache", 100)


def counts(prepared: PreparedCorpus, lines: int) -> tuple[Counter[str], Counter[str]]:
    store = prepared.train
    rows = balanced_sample(store, lines)
    assert (np.diff(rows) > 0).all()
    source, target = store.language_numbers(rows)
    return Counter(store.languages[one] for one in source), Counter(store.languages[one] for one in target)


def test_a_rare_language_is_all_there(prepared: PreparedCorpus) -> None:
    for side in counts(prepared, 100):
        assert side["fr"] == 10 and 50 <= side["de"] <= 100 and side["en"] >= 50


def test_a_small_sample_is_shared_equally(prepared: PreparedCorpus) -> None:
    for side in counts(prepared, 10):
        assert side == {"de": 10, "en": 20, "fr": 10}
    for side in counts(prepared, 10**6):
        assert side == {"de": 990, "en": 1000, "fr": 10}


def test_the_sample_is_spread_and_does_not_depend_on_blocks(
    prepared: PreparedCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = balanced_sample(prepared.train, 100)
    assert np.array_equal(rows, balanced_sample(prepared.train, 100))
    monkeypatch.setattr(module, "BLOCK", 37)
    assert np.array_equal(rows, balanced_sample(prepared.train, 100))
    assert abs(float(rows.mean()) / len(prepared.train) - 0.5) < 0.1
