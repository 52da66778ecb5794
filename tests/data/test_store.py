"""Store and preparation: text comes out as it went in; the same again does nothing; what differs is made anew."""

import json
import pickle
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_text import LINE, every_filter, sentences, toy_corpus, vocabulary, write

from seq2seq.data.corpus.base import Corpus
from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import DROPPED, PreparedCorpus, prepare
from seq2seq.data.dataset.store import Store, Writer, schema
from seq2seq.data.tokenizer import encode as encoding
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.data.tokenizer.train import TokenizerSettings, train_tokenizer
from seq2seq.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    corpus = toy_corpus(tmp_path_factory.mktemp("text"), ["en-de", "fr-de"])
    return train_tokenizer(corpus, vocabulary()).tokenizer


def prepared(
    corpus: Corpus, cache: Path, settings: TokenizerSettings | Tokenizer | None = None, longest: int = 100
) -> PreparedCorpus:
    return prepare(corpus, every_filter(), settings or vocabulary(), cache, longest)


def everything(store: Store) -> list[tuple[str, str, list[int], list[int]]]:
    rows = np.arange(len(store))
    columns = (*store.texts(rows), *(side for side in store.ids(rows)))
    return [(source, target, one.tolist(), other.tolist()) for source, target, one, other in zip(*columns, strict=True)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(LINE, LINE), min_size=1, max_size=12), chunk=st.integers(1, 5))
def test_text_and_pieces_come_out_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    tokenizer: Tokenizer,
    rows: list[tuple[str, str]],
    chunk: int,
) -> None:
    monkeypatch.setattr(encoding, "CHUNK", chunk)
    folder = tmp_path_factory.mktemp("store")
    write(folder, "valid", {"en": [en for en, _ in rows], "de": [de for _, de in rows]})
    corpus = Files(str(folder), ["en-de", "de-en"], [], [], ["valid"], [])
    pairs = list(corpus.pairs("valid"))
    with Writer(folder / "store", tokenizer.languages, wide=False) as writer:
        for batch, dropped in encoding.encode_pairs(pairs, tokenizer, writer.schema, None):
            assert dropped == []
            writer.write(batch)
    store = Store(folder / "store")
    assert [pair[:4] for pair in store.pairs()] == [pair[:4] for pair in pairs]
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    one, other = tokenizer.encode(sources, "en", "source"), tokenizer.encode(targets, "de", "target")
    assert everything(store) == list(zip(sources, targets, one, other, strict=True))
    order = np.random.default_rng(0).permutation(len(store))
    assert store.lengths(order)[0].tolist() == [len(one[row]) for row in order]
    assert store.lengths(order)[1].tolist() == [len(other[row]) for row in order]
    assert [store.languages[number] for number in store.language_numbers(order)[1]] == [
        pairs[row].target_language for row in order
    ]
    assert store.sizes.target_tokens == sum(map(len, other)) and store.sizes.longest_source == max(map(len, one))


def test_a_line_is_tokenised_once_a_chunk_however_many_directions_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer: Tokenizer
) -> None:
    seen: list[str] = []
    encode = Tokenizer.encode

    def counting(self: Tokenizer, lines: list[str], language: str, side: str) -> list[list[int]]:
        seen.extend(lines)
        return encode(self, lines, language, side)  # type: ignore[arg-type]

    monkeypatch.setattr(Tokenizer, "encode", counting)
    text = sentences(40, ["de", "en", "fr"])
    write(tmp_path, "train", text)
    corpus = Files(str(tmp_path), "all", ["de", "en", "fr"], ["train"], [], [])
    chunks = list(encoding.encode_pairs(corpus.pairs("train"), tokenizer, schema(False), None))
    assert sum(batch.num_rows for batch, _ in chunks) == 240
    assert sorted(seen) == sorted(line for lines in text.values() for line in lines)


def test_a_second_run_prepares_nothing_and_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = toy_corpus(tmp_path / "text")
    first = prepared(corpus, tmp_path / "cache")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}
    monkeypatch.setattr(Corpus, "pairs", lambda *_: pytest.fail("the text was read again"))
    second = prepared(corpus, tmp_path / "cache")
    assert first.new and not second.new
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")} == before
    assert second.fingerprint == first.fingerprint and second.tokenizer.models == first.tokenizer.models
    assert everything(second.train) == everything(first.train) and str(second.counts) == str(first.counts)


def test_preparing_elsewhere_gives_the_same_bytes(tmp_path: Path) -> None:
    one = prepared(toy_corpus(tmp_path / "a"), tmp_path / "x")
    two = prepared(toy_corpus(tmp_path / "b"), tmp_path / "y")
    assert one.fingerprint == two.fingerprint
    assert (one.train.folder / "pairs.arrow").read_bytes() == (two.train.folder / "pairs.arrow").read_bytes()


def test_what_differs_is_made_anew(tmp_path: Path) -> None:
    corpus = toy_corpus(tmp_path / "text")
    cache = tmp_path / "cache"
    base = prepared(corpus, cache)
    filters = every_filter()
    del filters["ratio"]
    others = [
        prepared(corpus, cache, vocabulary(size=400)),
        prepared(corpus, cache, longest=40),
        prepare(corpus, filters, vocabulary(), cache, 100),
        prepared(toy_corpus(tmp_path / "text", ["de-en"]), cache),
    ]
    write(tmp_path / "text", "train", sentences(299, ["en", "de"]))
    others.append(prepared(corpus, cache))
    assert all(other.new for other in others)
    assert len({str(one.train.folder) for one in (base, *others)}) == 6
    for other in (others[0], others[3], others[4]):  # pieces, directions, text; limits that drop nothing are no content
        assert other.fingerprint != base.fingerprint


def test_long_pairs_and_dirt_leave_train_only(tmp_path: Path) -> None:
    text = sentences(300, ["en", "de"])
    text["en"][5] = ""
    text["de"][6] = text["en"][6]
    text["en"][8], text["de"][8] = text["en"][7], text["de"][7]
    write(tmp_path, "train", text)
    write(tmp_path, "valid", {"en": ["", "same", "word " * 90], "de": ["x", "same", "wort " * 90]})
    corpus = Files(str(tmp_path), ["en-de"], [], ["train"], ["valid"], [])
    found = prepared(corpus, tmp_path / "cache", longest=30)
    long = sum(
        max(len(found.tokenizer.encode([one], "en", "source")[0]) for one in pair) > 30
        for number, pair in enumerate(zip(text["en"], text["de"], strict=True))
        if number not in (5, 6, 8)
    )
    assert long > 0 and found.counts.dropped["too_long"] == long
    named = [line.split("\t") for line in (found.train.folder / DROPPED).read_text("utf-8").splitlines()]
    assert Counter(reason for reason, _ in named) == Counter(found.counts.dropped)
    kept = {pair.source for pair in found.train.pairs()}
    origins = {pair.origin: pair for pair in corpus.pairs("train")}
    assert all(origins[origin].source not in kept for reason, origin in named if reason == "too_long")
    assert [found.counts.dropped[reason] for reason in ("empty", "identical", "duplicate")] == [1, 1, 1]
    assert len(found.train) == found.counts.kept == 300 - 3 - long
    assert max(found.train.sizes.longest_source, found.train.sizes.longest_target) <= 30
    assert [pair.source for pair in found.valid["valid"].pairs()] == ["", "same", "word " * 90]


def test_an_interrupted_preparation_leaves_nothing(tmp_path: Path) -> None:
    corpus = toy_corpus(tmp_path / "text")
    with (tmp_path / "text" / "train.de").open("ab") as file:
        file.write(b"one line too many\n")
    made = train_tokenizer(toy_corpus(tmp_path / "other"), vocabulary()).tokenizer
    with pytest.raises(DataError, match=r"train\.en:301"):
        prepared(corpus, tmp_path / "cache", made)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_given_tokenizer_is_used_and_must_know_the_languages(tmp_path: Path, tokenizer: Tokenizer) -> None:
    found = prepared(toy_corpus(tmp_path / "text"), tmp_path / "cache", tokenizer)
    assert found.tokenizer is tokenizer
    assert (
        found.train.ids(np.array([3]))[0][0].tolist()
        == tokenizer.encode(found.train.texts(np.array([3]))[0], "en", "source")[0]
    )
    with pytest.raises(DataError, match="unknown language 'cs'"):
        prepared(toy_corpus(tmp_path / "more", ["en-cs"]), tmp_path / "cache", tokenizer)


def test_nothing_left_is_an_error_and_so_is_a_senseless_limit(tmp_path: Path) -> None:
    corpus = toy_corpus(tmp_path / "text")
    with pytest.raises(DataError, match=r"no pairs left: kept 0 of 300; dropped: 300 too_long"):
        prepared(corpus, tmp_path / "cache", longest=1)
    with pytest.raises(ConfigError, match="max_length"):
        prepared(corpus, tmp_path / "cache", longest=0)


def test_two_preparations_at_once_share_what_the_first_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, other = toy_corpus(tmp_path / "text"), toy_corpus(tmp_path / "text")
    inner: list[Future[PreparedCorpus]] = []
    write_store = Writer.__exit__

    def meanwhile(self: Writer, *trouble: object) -> None:
        write_store(self, *trouble)  # type: ignore[arg-type]
        if not inner:
            inner.append(threads.submit(prepared, other, tmp_path / "cache"))

    monkeypatch.setattr(Writer, "__exit__", meanwhile)
    with ThreadPoolExecutor(1) as threads:
        outer = prepared(corpus, tmp_path / "cache")
        found = inner[0].result(30)
    assert everything(outer.train) == everything(found.train) and outer.fingerprint == found.fingerprint
    assert not [path for path in (tmp_path / "cache").iterdir() if path.name.startswith(".")]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match=r"cache: .*cannot be written.*set another cache="):
        prepared(toy_corpus(tmp_path / "text"), tmp_path / "cache")


def test_a_damaged_store_is_named_and_a_store_travels_to_another_process(tmp_path: Path) -> None:
    store = prepared(toy_corpus(tmp_path / "text"), tmp_path / "cache").train
    assert everything(pickle.loads(pickle.dumps(store))) == everything(store)
    (store.folder / "store.json").write_text(json.dumps({"format": 0}))
    with pytest.raises(DataError, match=r"not a prepared store.*remove the folder"):
        Store(store.folder)


def test_carriage_returns_are_told(tmp_path: Path) -> None:
    write(
        tmp_path,
        "train",
        {language: [f"{line}\r" for line in lines] for language, lines in sentences(300, ["en", "de"]).items()},
    )
    told: list[str] = []
    corpus = Files(str(tmp_path), ["en-de"], [], ["train"], [], [])
    found = prepare(corpus, every_filter(), vocabulary(), tmp_path / "cache", 100, told.append)
    assert any("removed 600 carriage returns" in line for line in told)
    assert not any(pair.source.endswith("\r") for pair in found.train.pairs())
