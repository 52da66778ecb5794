"""Running text: every token once and in order, whatever the rows, the chunks and the place where reading begins."""

from itertools import chain, pairwise
from pathlib import Path

import pytest
import torch
from toy_language import lines, prepared

from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.loader import stream
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.stream import Stream, TokenStream
from seq2seq.errors import ConfigError
from seq2seq.special_tokens import EOS


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return prepared(tmp_path_factory.mktemp("text"))


def whole(text: PreparedCorpus) -> list[int]:
    """The text as one list of ids."""
    rows = text.tokenizer.encode(lines(40), "en", "target")
    return list(chain.from_iterable([text.tokenizer.tag_id("en"), *row, EOS] for row in rows))


def chunks(text: PreparedCorpus, streams: int = 3, length: int = 7, parts: int = 1, ahead: int = 0) -> Stream:
    return Stream(text.train, text.tokenizer, streams, length, parts, ahead)


def equal(left: Batch, right: Batch) -> bool:
    return all(torch.equal(*pair) for pair in zip(left, right, strict=True))


def test_a_language_by_itself_is_stored_once(text: PreparedCorpus) -> None:
    pairs = list(text.train.pairs())
    assert [pair.target for pair in pairs] == lines(40)
    assert not any(pair.source for pair in pairs) and text.train.sizes.source_tokens == 0


@pytest.mark.parametrize("block", [1, 3, 1024])
def test_any_part_of_the_text_is_at_hand(text: PreparedCorpus, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BLOCK", block)
    found, ids = TokenStream(text.train, text.tokenizer), whole(text)
    assert len(found) == len(ids)
    for place in range(0, len(ids), 5):
        for count in (1, 2, 9, len(ids)):
            assert found.ids(place, count).tolist() == ids[place : place + count]


@pytest.mark.parametrize(("streams", "length"), [(1, 7), (3, 7), (5, 1), (4, 1000), (7, 16)])
def test_every_token_is_predicted_once_from_the_one_before_it(text: PreparedCorpus, streams: int, length: int) -> None:
    ids, tag = whole(text), text.tokenizer.tag_id("en")
    predicted = []
    batches = list(chunks(text, streams, length).batches(0))
    assert len(batches) == chunks(text, streams, length).batch_count(0)
    for batch in batches:
        assert batch.target.shape[1] <= length + 1
        rows = zip(batch.pairs.tolist(), batch.target.tolist(), batch.target_mask.tolist(), strict=True)
        for place, row, mask in rows:
            for offset in range(1, len(row)):
                if mask[offset]:
                    assert row[offset - 1 : offset + 1] == ids[place + offset - 1 : place + offset + 1]
                    predicted.append(place + offset)
    assert sorted(predicted) == [place for place, one in enumerate(ids) if one != tag]


def test_a_row_goes_on_where_it_ended(text: PreparedCorpus) -> None:
    batches = list(chunks(text).batches(0))
    for before, after in pairwise(batches):
        assert torch.equal(before.pairs + before.target.shape[1] - 1, after.pairs)
        assert torch.equal(before.target[:, -1], after.target[:, 0])
    assert batches[0].pairs[0] == 0


@pytest.mark.parametrize("parts", [2, 3])
def test_the_parts_of_a_chunk_are_its_rows(text: PreparedCorpus, parts: int) -> None:
    every = list(chunks(text, 6, parts=parts).batches(0))
    for number, batch in enumerate(chunks(text, 6).batches(0)):
        together = every[number * parts : (number + 1) * parts]
        assert equal(Batch(*map(torch.cat, zip(*together, strict=True))), batch)
    assert len(every) == chunks(text, 6, parts=parts).batch_count(0) == parts * chunks(text, 6).batch_count(0)


@pytest.mark.parametrize(("parts", "ahead"), [(1, 0), (2, 4)])
def test_the_tail_of_an_epoch_is_the_same_from_anywhere(text: PreparedCorpus, parts: int, ahead: int) -> None:
    every = list(chunks(text, 4, parts=parts).batches(0))
    for start in (0, 1, 5, len(every)):
        tail = list(chunks(text, 4, parts=parts, ahead=ahead).batches(3, start))
        assert len(tail) == len(every) - start and all(map(equal, tail, every[start:]))


def test_running_text_is_of_one_language(tmp_path: Path) -> None:
    both = prepared(tmp_path, languages=("de", "en"))
    with pytest.raises(ConfigError, match=r"one language, got de, en.*reading=lines"):
        chunks(both)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("streams", (0, 1, 1, 0)),
        ("bptt_length", (1, 0, 1, 0)),
        ("parts", (1, 1, 0, 0)),
        ("prefetch", (1, 1, 1, -1)),
        ("streams", (9999, 1, 1, 0)),
        ("streams", (5, 1, 2, 0)),
        ("streams", (2, 1, 2, 0)),
    ],
)
def test_illegal_values_are_named(text: PreparedCorpus, key: str, values: tuple[int, int, int, int]) -> None:
    with pytest.raises(ConfigError, match=rf"reading\.{key}"):
        Stream(text.train, text.tokenizer, *values)


def test_a_chunk_knows_its_text(text: PreparedCorpus) -> None:
    stream = Stream(text.train, text.tokenizer, 1, 10**6, 1, 0)
    (batch,) = stream.batches(0)
    (source, target) = stream.texts(batch)[0]
    assert source == ""
    assert target.split() == " ".join(pair.target for pair in text.train.pairs()).split()
