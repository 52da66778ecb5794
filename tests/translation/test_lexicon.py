"""Laws of learning shortlists: IBM model 1 is that of the paper; what is learnt goes with the model, whole or not."""

import json
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file, save_file
from toy_translator import WORDS, random_node

import seq2seq.model_folder.folder
from seq2seq.cli.app import main
from seq2seq.config.build import build
from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import PreparedCorpus, prepare
from seq2seq.data.dataset.store import Store
from seq2seq.data.tokenizer.train import TokenizerSettings
from seq2seq.errors import ConfigError, ModelError
from seq2seq.model_folder.folder import add
from seq2seq.network.model import Model
from seq2seq.training.data_check import Difference
from seq2seq.translation import api
from seq2seq.translation.folder import load, save
from seq2seq.translation.shortlist import lexicon as shortlist_lexicon
from seq2seq.translation.shortlist.lexicon import ITERATIONS, Lexicon, learn, learn_lexicon
from seq2seq.translation.shortlist.shortlist import ABOUT, FILE, Shortlist, leading

VOCABULARY = {"algorithm": "unigram", "vocab_size": 290, "joint": True, "byte_fallback": True}
REST = {
    "normalisation": "identity",
    "collapse_spaces": True,
    "character_coverage": 1.0,
    "sample_megabytes": 1.0,
    "seed": 1,
}
LEARNING = {
    "max_pairs": 1000,
    "threshold": 0.05,
    "max_candidates": 3,
    "frequent_pieces": 5,
    "candidates_per_piece": 6.0,
}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up lines in en and de; English words have the order of the German ones."""
    folder = tmp_path_factory.mktemp("text")
    draw = torch.Generator().manual_seed(3)
    for split, count in (("train", 200), ("valid", 20)):
        lines = [[WORDS[int(word)] for word in torch.randint(len(WORDS), (5,), generator=draw)] for _ in range(count)]
        for side, language in enumerate(("en", "de")):
            written = "".join(" ".join(word[side] for word in line) + "\n" for line in lines)
            (folder / f"{split}.{language}").write_text(written, "utf-8")
    return folder


@pytest.fixture(scope="module")
def prepared(text: Path) -> PreparedCorpus:
    corpus = Files(str(text), ["en-de", "de-en"], ["en", "de"], ["train"], ["valid"], [])
    settings: TokenizerSettings = build(
        {
            "_target_": "seq2seq.data.tokenizer.train.TokenizerSettings",
            **VOCABULARY,
            **REST,
            "source_tags": [],
            "canonical": True,
        }
    )
    return prepare(corpus, {}, settings, text / "cache", 100)


@pytest.fixture
def run(prepared: PreparedCorpus, text: Path, tmp_path: Path) -> Path:
    """A run folder whose model was not trained."""
    size = prepared.tokenizer.sizes[0]
    torch.manual_seed(1)
    model: Model = build(random_node(), {"source_vocabulary": size, "target_vocabulary": size})
    save(tmp_path / "run" / "model", model.eval(), random_node(), prepared.tokenizer, [("en", "de"), ("de", "en")], {})
    corpus = {
        "_target_": "seq2seq.data.corpus.files.Files",
        "path": str(text),
        "directions": ["en-de", "de-en"],
        "languages": ["en", "de"],
        "train": ["train"],
        "valid": ["valid"],
        "test": [],
    }
    tokenizer = {
        "_target_": "seq2seq.data.tokenizer.train.TokenizerSettings",
        **VOCABULARY,
        **REST,
        "source_tags": [],
        "canonical": True,
    }
    node = {"corpus": corpus, "cleaning": {}, "tokenizer": tokenizer, "prepare": {"max_length": 100}}
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(node))
    return tmp_path / "run"


def slow(sources: list[list[int]], targets: list[list[int]], same: list[int]) -> dict[tuple[int, int], float]:
    """IBM model 1 in the words of the paper, the empty piece being None."""
    likely: dict[tuple[int | None, int], float] = defaultdict(lambda: 1.0)
    for _ in range(ITERATIONS):
        expected: dict[tuple[int | None, int], float] = defaultdict(float)
        for piece, alike in enumerate(same):
            if alike >= 0:
                expected[piece, alike] += 1
        for source, target in zip(sources, targets, strict=True):
            for word in target:
                total = sum(likely[piece, word] for piece in [None, *source])
                for piece in [None, *source]:
                    expected[piece, word] += likely[piece, word] / total
        sums: dict[int | None, float] = defaultdict(float)
        for (piece, _), count in expected.items():
            sums[piece] += count
        likely = defaultdict(float, {pair: count / sums[pair[0]] for pair, count in expected.items()})
    return {(piece, word): value for (piece, word), value in likely.items() if piece is not None}


def learnt(found: Lexicon) -> dict[tuple[int, int], float]:
    return {(int(s), int(t)): float(p) for s, t, p in zip(*found, strict=True)}


@pytest.mark.parametrize("chunk", [1, 20, 1 << 20])
def test_the_lexicon_is_the_paper_s(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(shortlist_lexicon, "CHUNK", chunk)
    draw = np.random.default_rng(1)
    sources = [draw.integers(0, 6, draw.integers(0, 5)) for _ in range(9)]  # some are empty, pieces come twice
    targets = [draw.integers(0, 7, draw.integers(0, 6)) for _ in range(9)]
    same = [0, -1, 5, -1, 2, 3, 1]  # the last source piece was never seen
    found = learnt(learn_lexicon(sources, targets, torch.tensor(same), 7))
    wanted = slow([s.tolist() for s in sources], [t.tolist() for t in targets], same)
    assert found.keys() == wanted.keys() and found[6, 1] == 1.0
    assert all(found[pair] == pytest.approx(value, abs=1e-5) for pair, value in wanted.items())


def test_words_become_their_translations_in_each_language(prepared: PreparedCorpus) -> None:
    found = learn(prepared.train, prepared.tokenizer, **LEARNING)
    assert set(found.languages) == {"de", "en"}
    for one, language, other in (("dog", "de", "Hund"), ("Hund", "en", "dog"), ("sees", "de", "sieht")):
        [source] = prepared.tokenizer.encode([one], "en", "source")
        [target] = prepared.tokenizer.encode([other], language, "target")
        [own] = found.lists([source], language, [()])
        assert set(target) <= {*own.tolist(), *found.languages[language].common.tolist()}
    known = found.languages["de"]
    for piece in range(len(known.starts) - 1):
        likely = known.likely[known.starts[piece] : known.starts[piece + 1]]
        assert len(likely) <= 3 and (likely >= 0.05).all() and (np.diff(likely) <= 0).all()
    store = prepared.train
    german = np.flatnonzero(store.language_numbers(np.arange(len(store)))[1] == store.languages.index("de"))
    counts = np.bincount(np.concatenate(store.ids(german)[1]))
    frequent = np.argsort(-counts, kind="stable")[:5]
    assert {*range(leading(prepared.tokenizer)), *frequent.tolist()} <= {*known.common.tolist()}
    letters = [piece.text.removeprefix("▁") for piece in prepared.tokenizer.listed("target")]
    assert sum(len(letters[piece]) == 1 for piece in known.common) >= 5


def test_a_bounded_number_of_pairs_is_read(prepared: PreparedCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[list[int]] = []
    ids = Store.ids
    monkeypatch.setattr(Store, "ids", lambda self, rows: read.append(rows.tolist()) or ids(self, rows))
    few = [learn(prepared.train, prepared.tokenizer, **{**LEARNING, "max_pairs": 3}).to_bytes() for _ in range(2)]
    whole = learn(prepared.train, prepared.tokenizer, **LEARNING).to_bytes()
    assert few[0] == few[1] and few[0] != whole
    assert all(0 < len(rows) <= 3 for rows in read[:4]) and max(read[0]) > 20  # from everywhere
    assert whole == learn(prepared.train, prepared.tokenizer, **{**LEARNING, "max_pairs": 10**6}).to_bytes()


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_pairs": 0},
        {"max_candidates": 0},
        {"frequent_pieces": -1},
        {"candidates_per_piece": 0.0},
        {"threshold": 1.5},
    ],
)
def test_settings_are_checked(prepared: PreparedCorpus, wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        learn(prepared.train, prepared.tokenizer, **{**LEARNING, **wrong})


def command(run: Path, text: Path) -> int:
    return main(
        [
            "shortlist",
            f"model={run}",
            f"cache={text / 'cache'}",
            "max_pairs=1000",
            "threshold=0.05",
            "frequent_pieces=5",
        ]
    )


def test_the_command_puts_it_beside_the_model(run: Path, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = load(run)
    assert before.shortlist is None and api.load(run).searcher.shortlist_search is None
    assert command(run, text) == 0
    told = capsys.readouterr().out
    assert "valid, into de" in told and "valid, into en" in told and "% of those in its reference" in told
    config = json.loads((run / "model" / "config.json").read_text("utf-8"))
    assert FILE in config["sha256"] and "model.safetensors" in config["sha256"]
    assert (
        api.load(run, "beam").searcher.shortlist_search is not None
        and api.load(run, "sampling").searcher.shortlist_search is None
    )
    assert api.load([run, run]).searcher.shortlist_search is None
    again = (run / "model" / FILE).read_bytes()
    (run / "model" / FILE).write_bytes(again[:-1])
    with pytest.raises(ModelError, match="not as it was written"):
        load(run)
    assert command(run, text) == 0 and (run / "model" / FILE).read_bytes() == again
    assert main(["export", f"model={run}", f"output={run.parent / 'small'}"]) == 0
    assert (run.parent / "small" / FILE).read_bytes() == again
    assert api.load(run.parent / "small").searcher.shortlist_search is not None


def test_the_command_refuses_what_it_cannot_learn_from(
    run: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (text.parent / "other").mkdir(exist_ok=True)
    node = yaml.safe_load((run / "config.yaml").read_text())
    node["tokenizer"]["vocabulary"] = 285
    (run / "config.yaml").write_text(yaml.safe_dump(node))
    assert command(run, text) == 1 and "the tokenizer of its text is not the model's" in capsys.readouterr().err
    assert command(run / "model", text) == 1 and "config.yaml" in capsys.readouterr().err
    path = run / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "kind": "classifier", "sha256": {}}), "utf-8")
    assert command(run, text) == 1 and "a classifier" in capsys.readouterr().err
    assert not (run / "model" / FILE).exists()


def test_other_text_than_that_of_the_training_is_refused(
    run: Path, text: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where its tokenizer would be the same."""
    changed = Difference("data.train", "train had 300 pairs, has 299")
    monkeypatch.setattr("seq2seq.cli.shortlist.text_differences", lambda corpus, folder: ({}, [changed]))
    assert command(run, text) == 1
    assert "expected the text that it was trained on, but train had 300 pairs, has 299" in capsys.readouterr().err
    assert not (run / "model" / FILE).exists()


def test_a_folder_is_whole_at_every_moment(run: Path, text: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(run, text) == 0
    old = (run / "model" / FILE).read_bytes()
    new = Shortlist(load(run).shortlist.languages, 9.0).to_bytes()  # type: ignore[union-attr]
    real = seq2seq.model_folder.folder.put
    for calls in range(4):
        left = [calls]

        def put(temporary: Path, path: Path, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            real(temporary, path)

        monkeypatch.setattr(seq2seq.model_folder.folder, "put", put)
        if calls < 3:
            with pytest.raises(KeyboardInterrupt):
                add(run, FILE, new)
        else:
            add(run, FILE, new)
        found = load(run).shortlist
        assert found is not None and found.share == (9.0 if calls >= 2 else 5.0)
        assert (run / "model" / FILE).read_bytes() == (new if calls >= 2 else old)


def test_an_older_folder_has_no_checksums_and_gets_none(run: Path) -> None:
    path = run / "model" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "sha256": {}}), "utf-8")
    add(run, "other.bin", b"1")
    assert json.loads(path.read_text("utf-8")).get("sha256", {}) == {}
    load(run)


@pytest.mark.parametrize(
    "damage", ["cut", "text", "pipe", "starts", "beyond", "infinite", "axes", "names", "share", "missing", "kinds"]
)
def test_damaged_ones_are_refused(prepared: PreparedCorpus, tmp_path: Path, damage: str) -> None:
    path = tmp_path / FILE
    path.write_bytes(learn(prepared.train, prepared.tokenizer, **LEARNING).to_bytes())
    assert Shortlist.load(tmp_path, prepared.tokenizer) is not None
    tensors, metadata = load_file(path), {"languages": ["de", "en"], "share": 6.0}
    if damage == "starts":
        tensors["0.starts"][3] = tensors["0.starts"][-1] + 1
    elif damage == "beyond":
        tensors["1.pieces"][0] = prepared.tokenizer.sizes[1]
    elif damage == "infinite":
        tensors["0.likely"][1] = np.inf
    elif damage == "axes":
        tensors["0.common"] = tensors["0.common"].reshape(1, -1)
    elif damage == "names":
        metadata["languages"] = 7
    elif damage == "share":
        metadata["share"] = float("nan")
    elif damage == "missing":
        del tensors["1.likely"]
    elif damage == "kinds":
        tensors["0.pieces"] = tensors["0.pieces"].astype(np.float32)
    save_file(tensors, path, {ABOUT: json.dumps(metadata)})
    if damage == "cut":
        os.truncate(path, 200)
    elif damage == "text":
        path.write_text("not a file of tensors")
    elif damage == "pipe":
        path.unlink()
        os.mkfifo(path)
    with pytest.raises(ModelError, match=r"shortlist\.safetensors"):
        Shortlist.load(tmp_path, prepared.tokenizer)
    assert Shortlist.load(tmp_path / "elsewhere", prepared.tokenizer) is None
