"""Tokenizer: text comes back as it was, ids stand where the symbols say, and the same text gives the same model."""

from pathlib import Path

import numpy as np
import pytest
from apart import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceProcessor
from toy_text import LINE, sentences, toy_corpus, vocabulary, write

from seq2seq import special_tokens as symbols
from seq2seq.data.corpus.files import Files
from seq2seq.data.tokenizer.canonical import source_text, target_text
from seq2seq.data.tokenizer.tokenizer import FEW, Tokenizer
from seq2seq.data.tokenizer.train import LONGEST_LINE, TokenizerSettings, TrainingSample, train_tokenizer
from seq2seq.errors import ConfigError, DataError, ModelError


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    corpus = toy_corpus(tmp_path_factory.mktemp("text"), ["en-de", "fr-de"])
    return train_tokenizer(corpus, vocabulary(canonical=False)).tokenizer


@pytest.fixture(scope="module")
def spelling(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Every character of the toy text is a piece."""
    settings = TokenizerSettings("characters", 400, True, True, "identity", False, 1.0, 1.0, 1, [], False)
    return train_tokenizer(toy_corpus(tmp_path_factory.mktemp("text")), settings).tokenizer


def collapsed(line: str) -> str:
    """What the recorded settings make of a line: runs of spaces become one, outer ones go; `▁` is the model's space."""
    return " ".join(part for part in line.replace("▁", " ").split(" ") if part)


@settings(max_examples=200, deadline=None)
@given(line=LINE)
def test_any_line_comes_back(tokenizer: Tokenizer, line: str) -> None:
    (ids,) = tokenizer.encode([line], "en", "source")
    assert symbols.UNK not in ids
    assert tokenizer.decode([ids], "de") == [collapsed(line)]


@pytest.fixture(scope="module")
def canonical(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """One that reads lines in their canonical form, of text with typographic quotes on both sides."""
    folder = tmp_path_factory.mktemp("text")
    text = sentences(300, ["de", "en"])
    write(folder, "train", {language: [f"„{line}“ –" for line in lines] for language, lines in text.items()})
    corpus = Files(str(folder), ["en-de"], [], ["train"], [], [])
    return train_tokenizer(corpus, vocabulary(size=340)).tokenizer


@settings(max_examples=200, deadline=None)
@given(line=LINE | st.text("l’eau \u00a0„“–１e\u0301\u00ad\u200b"))
def test_a_canonical_tokenizer_reads_the_canonical_form(canonical: Tokenizer, line: str) -> None:
    for side, form in (("source", source_text), ("target", target_text)):
        assert canonical.encode([line], "en", side) == canonical.encode([form(line)], "en", side)
        assert canonical.spelled(line, side) == canonical.spelled(form(line), side)
        assert canonical.best(line, side, 3) == canonical.best(form(line), side, 3)
    assert canonical.decode(canonical.encode([line], "de", "target"), "de") == [collapsed(target_text(line))]
    assert canonical.decode(canonical.encode([line], "en", "source"), "de") == [collapsed(source_text(line))]


def test_it_has_pieces_for_what_each_side_has(canonical: Tokenizer, tokenizer: Tokenizer) -> None:
    """Languages that are sources alone have no typographic quotes, and those that are targets alone keep theirs."""
    assert {"„", "“", '"', "-", "–"} <= {piece for piece in '„“"-–' if piece in canonical.characters}
    assert canonical.canonical and not tokenizer.canonical


def test_a_tokenizer_records_that_it_is_canonical(canonical: Tokenizer, tmp_path: Path) -> None:
    canonical.save(tmp_path)
    assert Tokenizer.load(tmp_path).canonical
    assert Tokenizer.load(tmp_path).models == canonical.models
    SentencePieceProcessor(model_proto=canonical.models[0])  # other programs read it as well
    newer = [model[:-3] + b"  2" for model in canonical.models]
    with pytest.raises(ModelError, match=r"version 2.*use a newer toolkit"):
        Tokenizer(newer)


@settings(max_examples=50, deadline=None)
@given(lines=st.lists(LINE, max_size=20))
def test_lines_are_tokenised_independently(tokenizer: Tokenizer, lines: list[str]) -> None:
    alone = [tokenizer.encode([line], "en", "source")[0] for line in lines]
    many = tokenizer.encode([*lines, *["x"] * FEW], "en", "source")[: len(lines)]
    assert alone == many == tokenizer.encode(lines, "en", "source")


@settings(max_examples=100, deadline=None)
@given(ids=st.lists(st.integers(0, 419)))
def test_any_ids_make_one_line(tokenizer: Tokenizer, ids: list[int]) -> None:
    (line,) = tokenizer.decode([ids], "de")
    assert "\n" not in line
    silent = {symbols.PAD, symbols.BOS, symbols.EOS, *(tokenizer.tag_id(one) for one in tokenizer.languages)}
    assert tokenizer.decode([[one for one in ids if one not in silent]], "de") == [line]


def test_tags_follow_the_symbols_and_text_cannot_forge_them(tokenizer: Tokenizer) -> None:
    assert tokenizer.languages == ["de", "en", "fr"]
    assert [tokenizer.tag_id(language) for language in tokenizer.languages] == [4, 5, 6]
    ids = tokenizer.encode(["<2de> </s> <pad>"], "en", "source")[0]
    assert not {0, 1, 2, 3, 4, 5, 6} & set(ids)
    with pytest.raises(DataError, match=r"unknown language 'xx'.*de, en, fr"):
        tokenizer.tag_id("xx")


@pytest.mark.parametrize("joint", [True, False])
def test_save_and_load_give_the_same_tokenizer(tmp_path: Path, joint: bool) -> None:
    corpus = toy_corpus(tmp_path / "text")
    made = train_tokenizer(corpus, vocabulary(size=380, joint=joint)).tokenizer
    made.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    lines = sentences(50, ["en"], seed=3)["en"]
    assert loaded.models == made.models and loaded.joint is joint and loaded.sizes == made.sizes == (380, 380)
    for side in ("source", "target"):
        assert loaded.encode(lines, "en", side) == made.encode(lines, "en", side)
    assert loaded.decode(loaded.encode(lines, "de", "target"), "de") == lines
    assert sorted(path.name for path in tmp_path.glob("*.model")) == (
        ["tokenizer.model"] if joint else ["tokenizer.source.model", "tokenizer.target.model"]
    )


def test_a_side_of_its_own_learns_from_its_own_languages(tmp_path: Path) -> None:
    write(tmp_path, "train", {"en": ["alpha beta"] * 30, "de": ["gamma delta"] * 30})
    made = train_tokenizer(
        Files(str(tmp_path), ["en-de"], [], ["train"], [], []), vocabulary(size=270, joint=False)
    ).tokenizer
    spelt = range(6, 262)  # the bytes follow four symbols and two tags
    assert not set(made.encode(["p"], "en", "source")[0]) & set(spelt)
    assert set(made.encode(["p"], "en", "target")[0]) & set(spelt)


@settings(max_examples=200, deadline=None)
@given(line=LINE)
def test_characters_give_every_line_back(spelling: Tokenizer, line: str) -> None:
    [ids] = spelling.encode([line], "en", "target")
    assert spelling.decode([ids], "en") == [line.replace("\u2581", " ")]


def test_a_known_character_is_one_piece_and_an_unknown_one_its_bytes(spelling: Tokenizer) -> None:
    lines = ["", " ", "a", " ba  b", "é"]
    assert [len(ids) for ids in spelling.encode(lines, "en", "target")] == [0, 1, 1, 6, 2]
    assert spelling.algorithm("source") == "characters"


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_training_is_deterministic_and_settings_matter(tmp_path: Path, algorithm: str) -> None:
    corpus = toy_corpus(tmp_path)
    models = [train_tokenizer(corpus, vocabulary(algorithm, sample=0.01)).tokenizer.models for _ in range(2)]
    assert models[0] == models[1]
    assert train_tokenizer(corpus, vocabulary(algorithm, size=400)).tokenizer.sizes == (400, 400)


def test_identity_changes_no_character_and_nfkc_does(tmp_path: Path) -> None:
    corpus = toy_corpus(tmp_path)
    text = "\u217b \ufb01 \uff21 e\u0301"  # a Roman numeral, a ligature, a wide letter, a combining accent
    for rule, same in (("identity", True), ("nfkc", False)):
        made = train_tokenizer(corpus, vocabulary(normalisation=rule, canonical=False)).tokenizer
        assert (made.decode(made.encode([text], "en", "source"), "de") == [text]) is same


@pytest.mark.parametrize(("collapse", "expected"), [(True, "a b"), (False, "  a   b ")])
def test_spaces_collapse_only_where_that_is_recorded(tmp_path: Path, collapse: bool, expected: str) -> None:
    made = vocabulary()
    made.collapse_spaces = collapse
    tokenizer = train_tokenizer(toy_corpus(tmp_path), made).tokenizer
    assert tokenizer.decode(tokenizer.encode(["  a   b "], "en", "source"), "de") == [expected]


def test_overlong_lines_are_counted_not_learned(tmp_path: Path) -> None:
    text = sentences(300, ["en", "de"])
    text["en"][7] = "ä" * (LONGEST_LINE // 2 + 1)
    text["de"][9] = "x" * LONGEST_LINE
    write(tmp_path, "train", text)
    trained = train_tokenizer(Files(str(tmp_path), ["en-de"], [], ["train"], [], []), vocabulary())
    assert trained.overlong == 1 and trained.lines == 599


@settings(deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=200), limit=st.integers(80, 400))
def test_the_sample_is_bounded_and_keeps_what_fits(lengths: list[int], limit: int) -> None:
    sample = TrainingSample(["en"], limit, seed=1)
    for number, length in enumerate(lengths):
        sample.add({"en": chr(97 + number % 26) * length})
    kept = sample.lines(["en"])
    assert sum(map(len, kept)) <= limit
    assert len(kept) == len(lengths) or sum(map(len, kept)) > limit - 2 * 40
    assert sum(lengths) > limit or len(kept) == len(lengths)


def test_the_sample_is_fair_to_every_place_and_language() -> None:
    sample = TrainingSample(["en", "de"], 40_000, seed=1)
    for number in range(20_000):
        sample.add({"en": f"{number:010}", "de": f"{number:020}"})
    for language, width in (("en", 10), ("de", 20)):
        places = np.array([int(line) for line in sample.lines([language])])
        assert 0.9 * 20_000 < len(places) * width <= 20_000
        assert abs(places.mean() - 10_000) < 1_000 and (np.diff(places) > 0).all()


def test_a_vocabulary_that_cannot_be_is_refused_with_one_that_can(tmp_path: Path) -> None:
    corpus = toy_corpus(tmp_path)
    with pytest.raises(ConfigError, match=r"more than this text can fill; set tokenizer\.vocab_size=\d+"):
        train_tokenizer(corpus, vocabulary(size=30_000))
    with pytest.raises(ConfigError, match=r"does not even hold the characters; set it to at least 2\d\d"):
        train_tokenizer(corpus, vocabulary(size=100))
    for wrong in ({"algorithm": "word"}, {"size": 2}, {"normalisation": "nfd"}, {"sample": 0.0}):
        with pytest.raises(ConfigError, match="tokenizer"):
            vocabulary(**wrong)  # type: ignore[arg-type]


def test_a_folder_without_tokenizer_and_a_damaged_model_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no tokenizer\.model"):
        Tokenizer.load(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="damaged"):
        Tokenizer.load(tmp_path)


@pytest.fixture(scope="module")
def tagging(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Of en and de, with source tags; some training lines begin with one, on either side."""
    folder = tmp_path_factory.mktemp("text")
    texts = sentences(300, ["de", "en"])
    marked = {
        language: [f"<BT> {line}" if number % 3 else line for number, line in enumerate(lines)]
        for language, lines in texts.items()
    }
    write(folder, "train", marked)
    corpus = Files(str(folder), ["en-de"], [], ["train"], [], [])
    return train_tokenizer(corpus, vocabulary(source_tags=["BT", "X2"])).tokenizer


@settings(max_examples=100, deadline=None)
@given(line=LINE)
def test_a_source_tag_is_one_id_before_the_line_as_it_is(tagging: Tokenizer, line: str) -> None:
    (plain,) = tagging.encode([line], "en", "source")
    both = [f"<BT> {line}", f"<X2> <BT> {line}", f"<BT>{line}", f"<Y> {line}", f"a <BT> {line}"]
    tagged, twice, *others = tagging.encode(both, "en", "source")
    first, second = 6, 7  # behind PAD, UNK, BOS, EOS and two languages
    assert tagged == [first, *plain] and twice == [second, first, *plain]
    assert not any({first, second} & set(ids) for ids in others if line[:1] not in ("", " "))
    assert tagging.best(f"<BT> {line}", "source", 1)[0][:1] == [first]


def test_source_tags_are_known_by_no_target_and_never_generated(tagging: Tokenizer, tmp_path: Path) -> None:
    assert (tagging.languages, tagging.source_tags) == (["de", "en"], ["BT", "X2"])
    (ids,) = tagging.encode(["<BT> dogde"], "de", "target")
    assert not {6, 7} & set(ids)
    assert tagging.decode([ids, [6, *ids, 7]], "de") == ["<BT> dogde", "<BT> dogde"]
    assert tagging.never_generated == [0, 1, 2, 4, 5, 6, 7]
    tagging.save(tmp_path)
    assert Tokenizer.load(tmp_path).source_tags == ["BT", "X2"]
    write(tmp_path, "train", sentences(300, ["de", "en"]))
    plain = Files(str(tmp_path), ["en-de"], [], ["train"], [], [])
    assert train_tokenizer(plain, vocabulary(source_tags=["BT", "X2"])).tokenizer.models == tagging.models


@pytest.mark.parametrize("names", [["bt"], ["2de"], ["s"], ["B T"], ["BT", "BT"], [""]])
def test_source_tags_have_names_that_nothing_else_has(names: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.source_tags: expected different names"):
        vocabulary(source_tags=names)


def test_what_is_known_of_all_pieces_at_once_is_what_each_says() -> None:
    tokenizer = Tokenizer.load(ROOT / "tests" / "old_models/0.1")
    pieces = tokenizer.listed("source")
    assert tokenizer.characters == {" ", *(one.text for one in pieces if len(one.text) == 1)}
    assert tokenizer.unread == {symbols.UNK, *(number for number, one in enumerate(pieces) if one.kind == "byte")}
