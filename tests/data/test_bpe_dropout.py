"""BPE-dropout: at rate 0 it is sentencepiece, else the paper's algorithm, and it always spells the same text."""

import io
import random
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer
from toy_text import LINE, sentences, toy_corpus, vocabulary, write

from seq2seq import special_tokens as symbols
from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import PreparedCorpus, prepare
from seq2seq.data.tokenizer import subword_sampling as bpe_dropout
from seq2seq.data.tokenizer.subword_sampling import NEVER, BPEDropout, SubwordSampling
from seq2seq.data.tokenizer.tokenizer import Piece, Tokenizer
from seq2seq.errors import ConfigError

SYMBOLS = ["<url>", "ka", "kato", "<a b>"]
REPEATED = [" ".join(letter * count for count in range(2, 12)) for letter in "aik"]  # where the leftmost pair matters
TEXT = [*sentences(300, ["en"])["en"], *REPEATED * 20]


def trained(
    byte_fallback: bool = True, collapse: bool = True, own: bool = False, split: bool = True, rule: str = "identity"
) -> Tokenizer:
    """A BPE model of nonsense words; `own`: with symbols of its own, `split`: no piece crosses a space."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT),
        model_writer=model,
        model_type="bpe",
        vocab_size=480 if byte_fallback else 224,
        byte_fallback=byte_fallback,
        normalization_rule_name=rule,
        remove_extra_whitespaces=collapse,
        split_by_whitespace=split,
        control_symbols=[symbols.tag("en")],
        user_defined_symbols=SYMBOLS if own else [],
        pad_id=symbols.PAD,
        unk_id=symbols.UNK,
        bos_id=symbols.BOS,
        eos_id=symbols.EOS,
        minloglevel=2,
    )
    return Tokenizer([model.getvalue()])


MODELS = {
    "usual": trained(),
    "no bytes": trained(byte_fallback=False),
    "every space": trained(collapse=False),
    "own symbols": trained(own=True),
    "own symbols, no bytes": trained(own=True, byte_fallback=False),
    "across spaces": trained(split=False),
    "nfkc": trained(rule="nmt_nfkc_cf"),
}
WORDS = st.lists(st.sampled_from([*SYMBOLS, *" ".join([*TEXT[:20], *REPEATED]).split(), "é", "漢字", "ﬁ", "▁", " "]))
LINES = st.one_of(LINE, WORDS.map(" ".join), WORDS.map("".join))


def segmented(tokenizer: Tokenizer, line: str, rate: float, seed: int = 1) -> list[int]:
    return BPEDropout(tokenizer.listed("source"), rate)(tokenizer.normalised(line, "source")[1], seed)


@pytest.mark.parametrize("name", MODELS)
def test_without_dropout_it_is_sentencepiece(name: str) -> None:
    tokenizer = MODELS[name]
    usual = BPEDropout(tokenizer.listed("source"), 0.0)

    @settings(max_examples=60, deadline=None)
    @given(line=LINES)
    def law(line: str) -> None:
        [expected] = tokenizer.encode([line], "en", "source")
        assert usual(tokenizer.normalised(line, "source")[1], 1) == expected
        assert usual(tokenizer.normalised(line, "source")[1], 2) == expected  # from the cache

    law()
    for line in TEXT:
        [expected] = tokenizer.encode([line], "en", "source")
        assert usual(tokenizer.normalised(line, "source")[1], 1) == expected


@pytest.mark.parametrize("name", [name for name in MODELS if "no bytes" not in name])
def test_with_dropout_it_spells_the_same(name: str) -> None:
    tokenizer = MODELS[name]
    cut = {rate: BPEDropout(tokenizer.listed("source"), rate) for rate in (0.1, 0.5, 1.0)}

    @settings(max_examples=40, deadline=None)
    @given(line=LINES, seed=st.integers(0, 2**53), rate=st.sampled_from(list(cut)))
    def law(line: str, seed: int, rate: float) -> None:
        expected = tokenizer.decode(tokenizer.encode([line], "en", "source"), "en")
        assert tokenizer.decode([cut[rate](tokenizer.normalised(line, "source")[1], seed)], "en") == expected

    law()


def test_with_every_merge_left_out_only_characters_bytes_and_symbols_remain() -> None:
    tokenizer = MODELS["own symbols"]
    texts = [piece.text for piece in tokenizer.listed("source")]
    found = [texts[one] for one in segmented(tokenizer, "ka ba<url>é kato", 1.0)]
    assert found == ["▁", "ka", "▁", "b", "a", "<url>", "<0xC3>", "<0xA9>", "▁", "kato"]
    found = [texts[one] for one in segmented(tokenizer, "baka", 0.0)]
    assert "ka" in found  # no merge takes a symbol's characters


def test_unknown_characters_side_by_side_are_one() -> None:
    tokenizer = MODELS["no bytes"]
    for rate in (0.0, 1.0):
        assert segmented(tokenizer, "漢字 ba漢", rate).count(symbols.UNK) == 2


def written(pieces: list[Piece], word: str, rate: float, draw: random.Random) -> tuple[str, ...]:
    """Algorithm 1 of the paper, word by word as it stands there."""
    scores = {piece.text: piece.score for piece in pieces if piece.kind == "piece"}
    split = list(word)
    while True:
        merges = [
            (-scores[one + other], place) for place, (one, other) in enumerate(pairwise(split)) if one + other in scores
        ]
        merges = [merge for merge in merges if draw.random() >= rate]
        if not merges:
            return tuple(split)
        place = min(merges)[1]
        split[place : place + 2] = [split[place] + split[place + 1]]


@pytest.mark.parametrize("word, rate", [("dofulamien", 0.1), ("dofulamien", 0.4), ("aaaaaaa", 0.1), ("aaaaaaa", 0.5)])
def test_it_draws_what_the_papers_algorithm_draws(word: str, rate: float) -> None:
    """Both as often: by Pearson's chi-square of two samples, with a chance below one in ten thousand to fail."""
    tokenizer = MODELS["usual"]
    pieces = tokenizer.listed("source")
    draws = 3000
    cut = BPEDropout(pieces, rate)
    ours = Counter(tuple(pieces[one].text for one in cut(f"▁{word}", seed)) for seed in range(draws))
    draw = random.Random(1)
    theirs = Counter(written(pieces, f"▁{word}", rate, draw) for _ in range(draws))
    common = [split for split in ours | theirs if ours[split] + theirs[split] >= 20]
    assert len(common) > 3
    found = sum((ours[one] - theirs[one]) ** 2 / (ours[one] + theirs[one]) for one in common)
    freedom = len(common)
    assert found < freedom + 4 * (2 * freedom) ** 0.5 + 8


def test_a_word_is_cut_by_itself() -> None:
    """How a word may be cut does not depend on its neighbours; how it is cut in a line does on the line's seed."""
    tokenizer = MODELS["usual"]
    cut = BPEDropout(tokenizer.listed("source"), 0.0)
    line = "▁".join(["", *TEXT[0].split()])
    assert cut(line, 1) == [one for word in TEXT[0].split() for one in cut(f"▁{word}", 1)]
    several = BPEDropout(tokenizer.listed("source"), 0.5)
    assert len({tuple(several(line, seed)) for seed in range(20)}) > 15
    assert several(line, 3) == BPEDropout(tokenizer.listed("source"), 0.5)(line, 3)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    folder = tmp_path_factory.mktemp("bpe")
    return prepare(toy_corpus(folder / "text"), {}, vocabulary("bpe"), folder / "cache", 100)


@pytest.mark.slow
def test_the_loaders_draw_depends_on_seed_epoch_pair_and_side_only(prepared: PreparedCorpus) -> None:
    """Nor on the process, whose own random numbers sentencepiece would take."""
    rows = np.arange(40)

    def drawn(seed: int, epoch: int, order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[list[list[int]]]:
        sampling = SubwordSampling(prepared.tokenizer, seed, 8, 0.2, 0.2, ["source", "target"])
        return [[ids.tolist() for ids in side] for side in sampling(prepared.train, order, epoch)]

    whole = drawn(1, 3, rows)
    turned = drawn(1, 3, rows[::-1].copy())
    assert [side[::-1] for side in turned] == whole and drawn(1, 3, rows[7:8]) == [side[7:8] for side in whole]
    assert drawn(2, 3, rows) != whole and drawn(1, 4, rows) != whole
    program = f"""
import sys
import numpy as np
from seq2seq.data.tokenizer.subword_sampling import SubwordSampling
from seq2seq.data.dataset.store import Store
from seq2seq.data.tokenizer.tokenizer import Tokenizer
store = Store(sys.argv[1])
sampling = SubwordSampling(Tokenizer.load(sys.argv[1]), 1, 8, 0.2, 0.2, ["source", "target"])
print([[ids.tolist() for ids in side] for side in sampling(store, np.arange({len(rows)}), 3)])
"""
    prepared.tokenizer.save(prepared.train.folder)
    command = [sys.executable, "-c", program, str(prepared.train.folder)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{whole}\n"


def test_a_source_tag_stays_before_the_pieces(tmp_path: Path) -> None:
    text = sentences(200, ["en", "de"])
    write(tmp_path / "text", "train", {"en": [f"<BT> {line}" for line in text["en"]], "de": text["de"]})
    corpus = Files(str(tmp_path / "text"), ["en-de"], [], ["train"], [], [])
    made = prepare(corpus, {}, vocabulary("bpe", source_tags=["BT"]), tmp_path / "cache", 100)
    rows = np.arange(50)
    drawn, _ = SubwordSampling(made.tokenizer, 1, 8, 0.2, 0.5, ["source"])(made.train, rows, 0)
    usual, _ = made.train.ids(rows)
    assert {int(ids[0]) for ids in usual} == {int(ids[0]) for ids in drawn} and len({int(ids[0]) for ids in drawn}) == 1
    assert made.tokenizer.decode([ids.tolist() for ids in drawn], "de") == text["en"][:50]
    assert sum(map(np.array_equal, drawn, usual)) < 25


def test_only_sampled_sides_change(prepared: PreparedCorpus) -> None:
    rows = np.arange(40)
    source, target = SubwordSampling(prepared.tokenizer, 1, 8, 0.2, 0.3, ["target"])(prepared.train, rows, 0)
    usual = prepared.train.ids(rows)
    assert all(map(np.array_equal, source, usual[0]))
    assert sum(map(np.array_equal, target, usual[1])) < 20
    texts = prepared.train.texts(rows)[1]
    assert prepared.tokenizer.decode([ids.tolist() for ids in target], "de") == texts


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_is_a_probability(rate: float) -> None:
    with pytest.raises(ConfigError, match=r"loader\.bpe_dropout: expected a probability"):
        BPEDropout([], rate)
    assert NEVER > 2**32


def test_what_is_remembered_is_bounded_in_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of a language without spaces are sentences: a bound in words would not bound the memory."""
    monkeypatch.setattr(bpe_dropout, "CACHED", 100)
    tokenizer = MODELS["usual"]
    segment = BPEDropout(tokenizer.listed("source"), 0.0)
    for line in TEXT[:50]:
        whole = line.replace(" ", "")
        assert segment(f"\u2581{whole}", 1) == tokenizer.encode([whole], "en", "source")[0]
        assert sum(map(len, segment._usual)) <= max(100, len(whole) + 1)
    assert segment._usual
