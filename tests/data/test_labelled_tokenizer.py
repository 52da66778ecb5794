"""Labels, the tokenizers and loaders of labelled text, and what becomes of bad lines."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toy_labels import LABELS, WORDS, tag_tokenizer, toy_text, write
from toy_text import LINE

from seq2seq import special_tokens as symbols
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.corpus.files import Files
from seq2seq.data.corpus.tsv import TSV
from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.dataset.prepare_labelled import prepare_labelled
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.labelled_loader import ClassLoader, ConditionLoader, TagLoader, tagged
from seq2seq.data.loader.loader import Loader
from seq2seq.data.tokenizer.labelled_tokenizer import (
    ClassTokenizer,
    LabelledTokenizer,
    LabelTokenizer,
    NumberTokenizer,
    TagTokenizer,
    items,
    numbers,
)
from seq2seq.data.tokenizer.labels import Labels
from seq2seq.data.tokenizer.train import TokenizerSettings
from seq2seq.errors import ConfigError, DataError, ModelError

FORMS: list[type[LabelledTokenizer]] = [ClassTokenizer, TagTokenizer, LabelTokenizer, NumberTokenizer]


def other_side(form: type[LabelledTokenizer], number: int, tokens: int) -> str:
    """What stands beside a line of so many tokens."""
    if form is TagTokenizer:
        return " ".join(LABELS[(number + place) % 3] for place in range(tokens))
    return f"{number}.5 -1e3" if form is NumberTokenizer else LABELS[number % 3]


def corpus(folder: Path, form: type[LabelledTokenizer], count: int = 60) -> Files:
    """Lines of 1 to 7 words with what stands beside them."""
    for split, size in (("train", count), ("valid", 9)):
        words = [[WORDS[(number * 7 + place * 3) % 6] for place in range(1 + number % 7)] for number in range(size)]
        write(folder, f"{split}.text", [" ".join(line) for line in words])
        write(folder, f"{split}.label", [other_side(form, number, len(line)) for number, line in enumerate(words)])
    direction = "text-label" if form.text_first else "label-text"
    return Files(str(folder), [direction], [], ["train"], ["valid"], [])


def prepared(text: Corpus, form: type[LabelledTokenizer], cache: Path) -> tuple[PreparedCorpus, LabelledTokenizer]:
    vocabulary = TokenizerSettings("unigram", 280, True, True, "identity", True, 1.0, 1.0, 1, [], False)
    return prepare_labelled(text, form, {}, vocabulary, cache, 250, lambda message: None)


def loader(form: type[LabelledTokenizer], prepared: PreparedCorpus, tokenizer: LabelledTokenizer) -> Loader:
    if form is TagTokenizer:
        assert isinstance(tokenizer, TagTokenizer)
        return TagLoader(prepared.train, tokenizer, max_tokens=90, seed=1, sort_window=25, prefetch=0)
    kind = ClassLoader if form is ClassTokenizer else ConditionLoader
    return kind(prepared.train, tokenizer, 90, 1, 25, 1, 0.0, 0.0, [], 0)


def test_a_label_is_its_place_and_comes_back_from_a_file(tmp_path: Path) -> None:
    labels = Labels(["b", "a c", "ä\u2028"])
    labels.save(tmp_path)
    loaded = Labels.load(tmp_path)
    assert loaded.names == labels.names and [loaded.id(name) for name in labels.names] == [0, 1, 2]
    assert "a" not in loaded and "a c" in loaded


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '["one"]', '["a", "a", "b"]', "\x00"])
def test_a_damaged_file_of_labels_is_a_model_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(content, "utf-8")
    with pytest.raises(ModelError, match=r"labels\.json.*copy the model folder again"):
        Labels.load(tmp_path)


@pytest.mark.parametrize("names", [[], ["alone"], ["twice", "twice", "once"]])
def test_labels_that_leave_no_choice_are_refused(names: list[str]) -> None:
    with pytest.raises(DataError, match="text-label"):
        Labels(names)


@given(LINE)
@example("▁ ka ▁▁")  # sentencepiece's own sign for a space
@settings(max_examples=100, deadline=None)
def test_tokens_stand_between_plain_spaces_and_each_has_one_first_piece(line: str) -> None:
    tokenizer = tag_tokenizer()
    tokens = items(line)
    assert all(tokens) and "".join(tokens) == line.replace(" ", "")
    [ids] = tokenizer.encode([line], "text", "source")
    starts = [place for place, piece in enumerate(ids) if piece >= tokenizer.raised]
    assert len(starts) == len(tokens) and (not ids or starts[0] == 0)
    for token, begin, end in zip(tokens, starts, [*starts, len(ids)][1:], strict=True):
        alone = toy_text().encode([token], "text", "source")[0] or [symbols.UNK]
        assert [piece % tokenizer.raised for piece in ids[begin:end]] == alone


def test_a_tagger_asks_at_first_pieces_alone() -> None:
    raised = 10
    source = [np.array([15, 6, 17]), np.array([18, 19, 4, 5, 16])]
    target = [np.array([2, 0]), np.array([1, 2, 0])]
    batch = tagged(source, target, raised, np.arange(2))
    assert batch.source.tolist() == [[5, 6, 7, symbols.EOS, 0, 0], [8, 9, 4, 5, 6, symbols.EOS]]
    asked = batch.target_mask[:, 1:]
    assert asked.int().tolist() == [[1, 0, 1, 0, 0], [1, 1, 0, 0, 1]]
    assert batch.target[:, 1:][asked].tolist() == [2, 0, 1, 2, 0]
    assert asked.shape[1] == batch.source.shape[1] - 1 and batch.target_mask[:, 0].all()


@pytest.mark.parametrize("form", FORMS)
def test_an_epoch_gives_every_line_with_what_stands_beside_it_once(
    form: type[LabelledTokenizer], tmp_path: Path
) -> None:
    found, tokenizer = prepared(corpus(tmp_path, form), form, tmp_path / "cache")
    sources, targets = found.train.texts(np.arange(len(found.train)))
    seen: list[int] = []
    for batch in loader(form, found, tokenizer).batches(0):
        seen += batch.pairs.tolist()
        assert batch.source.numel() <= 90
        for row, number in enumerate(batch.pairs.tolist()):
            read = batch.source[row][batch.source_mask[row]].tolist()
            asked = batch.target[row, 1:][batch.target_mask[row, 1:]].tolist()
            wanted = tokenizer.encode([sources[number]], "text" if form.text_first else "label", "source")[0]
            labels = tokenizer.encode([targets[number]], "label" if form.text_first else "text", "target")[0]
            if form.text_first:
                raised = getattr(tokenizer, "raised", 1 << 30)
                assert read == [piece % raised for piece in wanted] + [symbols.EOS] and asked == labels
            else:
                assert read == wanted and asked == [*labels, symbols.EOS]
                assert batch.target[row, 0] == tokenizer.tag_id("text")
    assert sorted(seen) == list(range(len(found.train)))


@pytest.mark.parametrize("form", [ClassTokenizer, TagTokenizer])
def test_an_epoch_can_be_entered_anywhere(form: type[LabelledTokenizer], tmp_path: Path) -> None:
    found, tokenizer = prepared(corpus(tmp_path, form), form, tmp_path / "cache")
    batches = loader(form, found, tokenizer)

    def same(left: Batch, right: Batch) -> bool:
        return all(torch.equal(one, other) for one, other in zip(left, right, strict=True))

    whole = list(batches.batches(2))
    tail = list(batches.batches(2, 3))
    assert len(whole) == batches.batch_count(2) and len(tail) == len(whole) - 3 > 0
    assert all(same(*pair) for pair in zip(whole[3:], tail, strict=True))


def test_a_tokenizer_learns_from_the_text_alone(tmp_path: Path) -> None:
    _, tokenizer = prepared(corpus(tmp_path, ClassTokenizer), ClassTokenizer, tmp_path / "cache")
    pieces = tokenizer.text.encode([LABELS[0], WORDS[4]], "text", "source")
    assert min(pieces[0]) < 256 < min(pieces[1])  # letters that labels alone have are spelt in bytes
    assert tokenizer.text.languages == ["text"]


def test_the_ways_to_use_the_same_files_share_a_tokenizer_but_no_store(tmp_path: Path) -> None:
    texts = [
        WORDS[number % 6] + WORDS[number % 5] for number in range(60)
    ]  # lines of one token, so that a label is a line of tags too
    for split in ("train", "valid"):
        write(tmp_path, f"{split}.text", texts)
        write(tmp_path, f"{split}.label", [LABELS[number % 3] for number in range(60)])
    stores, tokenizers = set(), set()
    for form, direction in (
        (ClassTokenizer, "text-label"),
        (TagTokenizer, "text-label"),
        (LabelTokenizer, "label-text"),
    ):
        text = Files(str(tmp_path), [direction], [], ["train"], ["valid"], [])
        found, tokenizer = prepared(text, form, tmp_path / "cache")
        stores.add(found.train.folder)
        tokenizers.add(tokenizer.text.models[0])
        assert prepared(text, form, tmp_path / "cache")[0].new is False
    assert len(stores) == 3 and len(tokenizers) == 1


BAD: list[tuple[type[LabelledTokenizer], str, str]] = [
    (ClassTokenizer, "violet", r"valid\.label:3: unknown label 'violet': .* blue, green, red"),
    (ClassTokenizer, "", r"valid\.label:3: expected a label, got a blank"),
    (TagTokenizer, "red violet red", r"valid\.label:3: unknown label 'violet'"),
    (
        TagTokenizer,
        "red  red",
        r"valid\.label:3: expected a label for each token, separated by spaces, got 3 tokens and 2 labels",
    ),
    (LabelTokenizer, "red red", r"valid\.label:3: unknown label 'red red'"),
    (NumberTokenizer, "1 2 3", r"valid\.label:3: expected 2 numbers separated by spaces, got 3"),
    (NumberTokenizer, "1 two", r"valid\.label:3: expected 2 numbers .*'two'"),
    (NumberTokenizer, "1 nan", r"valid\.label:3: expected 2 finite numbers"),
    (NumberTokenizer, "1 1e39", r"valid\.label:3: expected 2 finite numbers"),
]


@pytest.mark.parametrize(("form", "line", "message"), BAD)
def test_what_cannot_be_a_label_is_told_with_file_and_line(
    form: type[LabelledTokenizer], line: str, message: str, tmp_path: Path
) -> None:
    text = corpus(tmp_path, form)
    lines = (tmp_path / "valid.label").read_text("utf-8").split("\n")
    write(tmp_path, "valid.label", [*lines[:2], line, *lines[3:-1]])
    with pytest.raises(DataError, match=message):
        prepared(text, form, tmp_path / "cache")


def test_lines_that_are_blank_on_both_sides_are_no_examples(tmp_path: Path) -> None:
    text = corpus(tmp_path, TagTokenizer)
    for side in ("text", "label"):
        lines = (tmp_path / f"valid.{side}").read_text("utf-8").split("\n")[:-1]
        write(tmp_path, f"valid.{side}", [lines[0], " ", *lines[1:]])
    found, _ = prepared(text, TagTokenizer, tmp_path / "cache")
    assert len(found.valid["valid"]) == 9


@pytest.mark.parametrize("directions", [["text-label", "label-text"], ["text"]])
def test_labelled_text_has_one_direction(directions: list[str], tmp_path: Path) -> None:
    corpus(tmp_path, ClassTokenizer)
    text = Files(str(tmp_path), directions, [], ["train"], ["valid"], [])
    with pytest.raises(ConfigError, match=r"corpus\.directions: expected one direction like \[text-label\]"):
        prepared(text, ClassTokenizer, tmp_path / "cache")


def test_the_wrong_way_round_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, "train.tsv", ["text\tlabel", *(f"{' '.join(WORDS[:number])}\tred" for number in range(1, 7))])
    text = TSV(str(tmp_path), [], ["text-label"], [], ["train"], ["train"], [])
    with pytest.raises(DataError, match=r"got 1: red.*label-text"):
        prepared(text, ClassTokenizer, tmp_path / "cache")


def test_more_labels_than_lines_bear_are_noticed(tmp_path: Path) -> None:
    write(tmp_path, "train.text", ["ka"] * 110)
    write(tmp_path, "train.label", [f"label {number}" for number in range(110)])
    text = Files(str(tmp_path), ["text-label"], [], ["train"], ["train"], [])
    with pytest.raises(DataError, match=r"110 different labels on 110 lines .*wrong way round"):
        prepared(text, ClassTokenizer, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()  # before anything is spent on it


def test_only_text_can_be_sampled(tmp_path: Path) -> None:
    found, made = prepared(corpus(tmp_path, ClassTokenizer), ClassTokenizer, tmp_path / "cache")
    with pytest.raises(ConfigError, match=r"loader\.sampled_sides: the target"):
        ClassLoader(found.train, made, 90, 1, 25, 8, 0.2, 0.1, ["target"], 0)
    sampled = ClassLoader(found.train, made, 300, 1, 25, 8, 0.0, 0.1, ["source"], 0)
    epochs = [torch.cat([batch.source.flatten() for batch in sampled.batches(epoch)]) for epoch in (0, 1)]
    assert len({epoch.sort().values.numpy().tobytes() for epoch in epochs}) == 2


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_numbers_travel_exactly(values: list[float]) -> None:
    bits = torch.tensor(numbers(" ".join(map(repr, values)), len(values)))
    assert bits.to(torch.int32).view(torch.float32).tolist() == values
