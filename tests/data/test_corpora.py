"""The corpora that have a YAML: each can be read as it says. Skipped where SEQ2SEQ_DATA names no folder of corpora."""

import os
from pathlib import Path

import pytest
from apart import ROOT
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from toy_text import every_filter

from seq2seq.config.build import build
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.dataset.prepare import prepare
from seq2seq.data.loader.loader import Loader
from seq2seq.data.tokenizer.train import TokenizerSettings
from seq2seq.errors import DataError

pytestmark = pytest.mark.slow

CONF = ROOT / "conf"
READERS = {"files", "tsv", "jsonl", "parquet", "datasets"}
NAMED = sorted(path.stem for path in (CONF / "corpus").glob("*.yaml") if path.stem not in READERS)
real = pytest.mark.skipif(not os.environ.get("SEQ2SEQ_DATA"), reason="SEQ2SEQ_DATA is not set")


def corpus(name: str, *overrides: str) -> Corpus:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose(overrides=[f"+corpus={name}", *overrides])
    built: Corpus = build(OmegaConf.to_container(node, resolve=True)["corpus"], where="corpus")  # type: ignore
    return built


@real
@pytest.mark.parametrize("name", NAMED)
def test_a_named_corpus_holds_the_languages_and_splits_it_names(name: str) -> None:
    made = corpus(name, "corpus.directions=all") if name != "multi30k" else corpus(name)
    for split in [*made.valid, *made.test]:
        first = next(made.pairs(split))
        assert first.source and first.target
    assert next(made.pairs(made.train[0])) and made.fingerprint(made.valid[0])


@pytest.mark.parametrize("name", [name for name in NAMED if name != "multi30k"])
def test_without_the_folder_the_error_says_what_to_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEQ2SEQ_DATA", raising=False)
    with pytest.raises(DataError, match=r"SEQ2SEQ_DATA.*corpus=datasets"):
        next(corpus(name).pairs("train"))


@pytest.mark.parametrize("name", [*NAMED])
def test_the_direction_is_one_override(name: str) -> None:
    source, target = corpus(name).directions[0]
    assert corpus(name, f"corpus.directions=[{target}-{source}]").directions == [(target, source)]


@real
def test_multi30k_wastes_less_than_a_tenth(tmp_path: Path) -> None:
    settings = TokenizerSettings("unigram", 4000, True, True, "identity", True, 1.0, 1.0, 1, [], False)
    prepared = prepare(corpus("multi30k"), every_filter(), settings, tmp_path, 250)
    assert prepared.counts.kept > 28_900
    for tokens in (1500, 4000, 8000):
        made = Loader(prepared.train, prepared.tokenizer, tokens, 1, 200_000, 1, 0.0, 0.0, [], 0)
        assert made.padding(0).waste < 0.1
