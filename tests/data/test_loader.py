"""Loader: every pair once an epoch, within the budget, in an order that seed, epoch and batch alone determine."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_text import every_filter, toy_corpus, vocabulary

from seq2seq import special_tokens as symbols
from seq2seq.data.dataset.prepare import PreparedCorpus, prepare
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.loader import Loader, by_length, fill
from seq2seq.data.loader.prefetch import prefetch
from seq2seq.data.loader.shuffle import permuted, uniform
from seq2seq.errors import ConfigError


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    folder = tmp_path_factory.mktemp("loader")
    corpus = toy_corpus(folder / "text", ["en-de", "de-en"])
    return prepare(corpus, every_filter(), vocabulary(), folder / "cache", 100)


def loader(
    prepared: PreparedCorpus,
    max_tokens: int = 200,
    seed: int = 1,
    sort_window: int = 150,
    sampled_sides: tuple[str, ...] = (),
    prefetch: int = 0,
    sampling_nbest: int = 8,
    sampling_alpha: float = 0.3,
    bpe_dropout: float = 0.1,
) -> Loader:
    return Loader(
        prepared.train,
        prepared.tokenizer,
        max_tokens,
        seed,
        sort_window,
        sampling_nbest,
        sampling_alpha,
        bpe_dropout,
        sampled_sides,
        prefetch,
    )


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


@settings(deadline=None)
@given(count=st.integers(1, 3000), seed=st.integers(0, 2**40), epoch=st.integers(0, 1000))
def test_an_order_is_a_permutation_any_part_of_which_can_be_had(count: int, seed: int, epoch: int) -> None:
    whole = permuted(np.arange(count), count, seed, epoch)
    assert sorted(whole.tolist()) == list(range(count))
    part = np.arange(count // 3, count)
    assert (permuted(part, count, seed, epoch) == whole[part]).all()


def test_orders_look_random() -> None:
    count = 20_000
    for epoch in range(5):
        order = permuted(np.arange(count), count, 7, epoch).astype(float)
        assert abs(np.corrcoef(np.arange(count), order)[0, 1]) < 0.03
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.03
        assert abs(np.corrcoef(order, permuted(np.arange(count), count, 7, epoch + 1))[0, 1]) < 0.03
    draws = uniform(np.arange(count), 7, 0, 0)
    assert draws.min() >= 0 and draws.max() < 1 and abs(draws.mean() - 0.5) < 0.01 and abs(draws.var() - 1 / 12) < 0.003
    assert abs(np.corrcoef(draws, uniform(np.arange(count), 7, 0, 1))[0, 1]) < 0.03


@given(lengths=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1), tokens=st.integers(30, 90))
def test_batches_hold_the_budget_and_are_as_full_as_it_allows(lengths: list[tuple[int, int]], tokens: int) -> None:
    source, target = np.array([one for one, _ in lengths]), np.array([two for _, two in lengths])
    order = by_length(source, target)
    longer = np.maximum(source, target)[order]
    edges = fill(source[order], target[order], tokens)
    assert edges[0] == 0 and edges[-1] == len(lengths) and (np.diff(edges) > 0).all()
    for start, end in pairwise(edges):
        assert longer[start:end].max() * (end - start) <= tokens
        if end < len(longer):
            assert longer[start : end + 1].max() * (end + 1 - start) > tokens


@pytest.mark.parametrize("window", [37, 150, 10_000])
def test_an_epoch_holds_every_pair_once_within_the_budget(prepared: PreparedCorpus, window: int) -> None:
    made = loader(prepared, sort_window=window)
    batches = list(made.batches(2))
    assert len(batches) == made.batch_count(2)
    assert sorted(torch.cat([batch.pairs for batch in batches]).tolist()) == list(range(len(prepared.train)))
    for batch in batches:
        assert len(batch.pairs) * (batch.target.shape[1] - 1) <= 200
        assert len(batch.pairs) * (batch.source.shape[1] - 1) <= 200


def test_rows_are_tag_pieces_eos_and_padding(prepared: PreparedCorpus) -> None:
    store, tokenizer = prepared.train, prepared.tokenizer
    for batch in loader(prepared).batches(0):
        rows = batch.pairs.numpy()
        ids = store.ids(rows)
        tags = [tokenizer.tag_id(store.languages[number]) for number in store.language_numbers(rows)[1]]
        for side, mask, pieces in (
            (batch.source, batch.source_mask, ids[0]),
            (batch.target, batch.target_mask, ids[1]),
        ):
            for row, real, tag, line in zip(side, mask, tags, pieces, strict=True):
                assert row[real].tolist() == [tag, *line.tolist(), symbols.EOS]
                assert real.tolist() == [True] * (len(line) + 2) + [False] * (len(row) - len(line) - 2)
                assert (row[~real] == symbols.PAD).all()


@pytest.mark.parametrize("ahead", [0, 3])
@pytest.mark.parametrize("sampled", [(), ("source", "target")])
def test_a_start_anywhere_is_the_tail_bit_for_bit(
    prepared: PreparedCorpus, ahead: int, sampled: tuple[str, ...]
) -> None:
    whole = list(loader(prepared, sampled_sides=sampled).batches(4))
    for start in (0, 1, len(whole) // 2, len(whole) - 1, len(whole), len(whole) + 5):
        tail = list(loader(prepared, sampled_sides=sampled, prefetch=ahead).batches(4, start))
        assert len(tail) == len(whole[start:])
        assert all(map(same, tail, whole[start:]))


def test_epochs_and_seeds_differ(prepared: PreparedCorpus) -> None:
    orders = [
        tuple(torch.cat([batch.pairs for batch in loader(prepared, seed=seed).batches(epoch)]).tolist())
        for seed, epoch in ((1, 0), (1, 1), (2, 0))
    ]
    assert len(set(orders)) == 3


def test_the_padding_is_counted_as_it_is(prepared: PreparedCorpus) -> None:
    made = loader(prepared)
    real = padded = 0
    for batch in made.batches(1):
        for mask in (batch.source_mask, batch.target_mask):
            real, padded = real + int(mask[:, 1:].sum()), padded + mask[:, 1:].numel()
    assert made.padding(1) == (real, padded) and made.padding(1).waste == 1 - real / padded


def test_a_sorted_window_wastes_little() -> None:
    draw = np.random.default_rng(1)
    source = draw.poisson(15, 30_000) + 2
    target = np.maximum(2, source + draw.integers(-4, 5, 30_000))
    order = by_length(source, target)
    source, target = source[order], target[order]
    edges = fill(source, target, 4000)
    parts = [part[start:end] for start, end in pairwise(edges) for part in (source, target)]
    assert 1 - sum(part.sum() for part in parts) / sum(part.max() * len(part) for part in parts) < 0.025


def test_sampled_pieces_spell_the_same_text(prepared: PreparedCorpus) -> None:
    store, tokenizer = prepared.train, prepared.tokenizer
    changed = Counter[str]()
    for batch in loader(prepared, sampled_sides=("target",), sampling_alpha=0.1).batches(0):
        rows = batch.pairs.numpy()
        texts, ids = store.texts(rows), store.ids(rows)
        for number in range(len(rows)):
            source = batch.source[number][batch.source_mask[number]][1:-1].tolist()
            target = batch.target[number][batch.target_mask[number]][1:-1].tolist()
            assert source == ids[0][number].tolist()
            assert tokenizer.decode([target], "de") == [texts[1][number]]
            changed["other" if target != ids[1][number].tolist() else "same"] += 1
    assert min(changed["other"], changed["same"]) > 50


def test_samples_follow_the_probabilities_to_the_power_alpha(prepared: PreparedCorpus) -> None:
    store, tokenizer = prepared.train, prepared.tokenizer
    row = np.array([int(np.argmin(store.lengths(np.arange(len(store)))[0]))])
    sampling = loader(prepared, sampled_sides=("source",), sampling_nbest=4, sampling_alpha=0.5).sampling
    drawn = Counter(tuple(sampling(store, row, epoch)[0][0].tolist()) for epoch in range(3000))
    listed = tokenizer.best(store.texts(row)[0][0], "source", 4)
    weights = np.array([np.exp(0.5 * tokenizer.scores("source")[ids].sum()) for ids in listed])
    for ids, share in zip(listed, weights / weights.sum(), strict=True):
        assert abs(drawn[tuple(ids)] / 3000 - share) < 0.04


@pytest.mark.slow
def test_another_process_draws_the_same(prepared: PreparedCorpus) -> None:
    program = """
import sys
import numpy as np
from seq2seq.data.loader.shuffle import permuted
from seq2seq.data.tokenizer.subword_sampling import SubwordSampling
from seq2seq.data.dataset.store import Store
from seq2seq.data.tokenizer.tokenizer import Tokenizer
store = Store(sys.argv[1])
sampling = SubwordSampling(Tokenizer.load(sys.argv[1]), 1, 8, 0.3, 0.1, ["source", "target"])
print([[ids.tolist() for ids in side] for side in sampling(store, permuted(np.arange(50), len(store), 1, 3), 3)])
"""
    prepared.tokenizer.save(prepared.train.folder)
    command = [sys.executable, "-c", program, str(prepared.train.folder)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = permuted(np.arange(50), len(prepared.train), 1, 3)
    here = loader(prepared, sampled_sides=("source", "target")).sampling(prepared.train, rows, 3)
    assert found == f"{[[ids.tolist() for ids in side] for side in here]}\n"


def test_illegal_settings_are_refused(prepared: PreparedCorpus, tmp_path: Path) -> None:
    longest = max(prepared.train.sizes.longest_source, prepared.train.sizes.longest_target) + 1
    assert list(loader(prepared, max_tokens=longest).batches(0))
    with pytest.raises(
        ConfigError, match=rf"loader\.max_tokens: {longest - 1} does not hold .* set loader\.max_tokens={longest}"
    ):
        loader(prepared, max_tokens=longest - 1)
    for name, value in (
        ("sort_window", 0),
        ("prefetch", -1),
        ("seed", -1),
        ("sampling_nbest", 0),
        ("sampling_alpha", -1.0),
        ("bpe_dropout", 1.1),
        ("sampled_sides", ("both",)),
    ):
        with pytest.raises(ConfigError, match=f"loader.{name}"):
            loader(prepared, **{name: value})  # type: ignore[arg-type]


def test_sampling_that_would_change_nothing_is_refused(prepared: PreparedCorpus, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"loader\.sampling_nbest: with 1"):
        loader(prepared, sampled_sides=("source",), sampling_nbest=1)
    for algorithm, message in (
        ("bpe", r"loader\.bpe_dropout: with 0"),
        ("characters", r"loader\.sampled_sides: the source"),
    ):
        made = prepare(toy_corpus(tmp_path / "text"), {}, vocabulary(algorithm), tmp_path / "cache", 100)
        with pytest.raises(ConfigError, match=message):
            loader(made, sampled_sides=("source",), bpe_dropout=0.0)


def test_what_fails_in_the_thread_is_raised_where_it_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("three")

    found = prefetch(items(), 5)
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(KeyError, match="three"):
        next(found)


def test_a_consumer_that_leaves_early_leaves_no_thread() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    for _ in range(20):
        found = prefetch(endless(), 2)
        assert next(found) == 0
        found.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_batches_are_made_in_advance_but_not_without_limit() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    found = prefetch(items(), 3)
    assert next(found) == 0
    deadline = time.monotonic() + 5
    while len(made) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert len(made) == 5  # one used, three waiting, one in hand
    assert list(found) == list(range(1, 100))


@pytest.mark.parametrize("window", [150, 10_000])
def test_the_worst_batch_of_an_epoch_has_the_most_places(prepared: PreparedCorpus, window: int) -> None:
    made = loader(prepared, sort_window=window)
    for epoch in (0, 1):
        batches = list(made.batches(epoch))
        sizes = [batch.source.numel() + batch.target.numel() for batch in batches]
        assert any(
            same(made.largest_batch(epoch), batch)
            for batch, size in zip(batches, sizes, strict=True)
            if size == max(sizes)
        )
        assert made.batch_count(epoch) == len(batches)


def test_a_batch_knows_its_lines(prepared: PreparedCorpus) -> None:
    made = loader(prepared)
    every = {(pair.source, pair.target) for pair in prepared.train.pairs()}
    found = [text for batch in made.batches(0) for text in made.texts(batch)]
    assert set(found) == every and len(found) == len(prepared.train)
