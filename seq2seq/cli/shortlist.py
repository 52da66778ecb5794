"""`seq2seq shortlist`: learns which target pieces a sentence may need, which makes a translator's search faster."""

from pathlib import Path

import numpy as np
import yaml

from seq2seq.cli.paths import check_places
from seq2seq.cli.prepare import prepared_corpus, text_places
from seq2seq.config.aliases import renamed_keys
from seq2seq.config.build import build
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ModelError
from seq2seq.model_folder.config import read_config
from seq2seq.model_folder.folder import add, find
from seq2seq.training.data_check import text_differences
from seq2seq.training.run_config import older
from seq2seq.translation.folder import KIND
from seq2seq.translation.shortlist.lexicon import learn
from seq2seq.translation.shortlist.shortlist import FILE, Shortlist

KEYS = ("corpus", "cleaning", "tokenizer", "prepare")  # of a run's configuration: what makes its text


def run(
    model: Path,
    cache: Path,
    max_pairs: int,
    threshold: float,
    max_candidates: int,
    frequent_pieces: int,
    candidates_per_piece: float,
) -> int:
    """Writes `shortlist.safetensors` into the model folder of a run, and prints how much held-out text it covers."""
    place = find(model)  # what else is in it, perhaps a damaged shortlist, is not read
    if (kind := read_config(place)["kind"]) != KIND:
        raise ModelError(f"{place}: expected a {KIND}, got a {kind}, which uses no shortlist")
    prepared = _prepared(model, cache)
    if prepared.tokenizer.models != Tokenizer.load(place).models:
        raise ModelError(
            f"{model}: the tokenizer of its text is not the model's: restore the text that it was trained on "
            "(corpus in its config.yaml)"
        )
    shortlist = learn(
        prepared.train, prepared.tokenizer, max_pairs, threshold, max_candidates, frequent_pieces, candidates_per_piece
    )
    path = add(model, FILE, shortlist.to_bytes())
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    for split in prepared.valid:
        for language in shortlist.languages:
            _tell(split, prepared, shortlist, language)
    return 0


def _prepared(folder: Path, cache: Path) -> PreparedCorpus:
    """The text that a run was trained on. Raises ModelError where `folder` is no run."""
    path = folder / "config.yaml"
    try:
        configuration = renamed_keys(yaml.safe_load(path.read_text("utf-8")))
        corpus, cleaning, tokenizer, prepare = (configuration[key] for key in KEYS)
    except (OSError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ModelError(
            f"{folder}: expected a run folder, whose config.yaml names the training text; "
            "models exported from it later keep the shortlist"
        ) from error
    if "algorithm" in tokenizer:  # one that was trained, perhaps by an older version
        tokenizer = older(folder, "tokenizer") | tokenizer
    text: Corpus = build(corpus, where="corpus")
    check_places({"corpus": text_places(text)}, {"model": [find(folder) / FILE], "cache": [cache]})
    files, result = text_differences(text, folder)
    if changed := [one.how for one in result if one.key == "data.train"]:
        raise ModelError(f"{folder}: expected the text that it was trained on, but {'; '.join(changed)}: restore it")
    return prepared_corpus(text, cleaning, tokenizer, prepare, cache, files)


def _tell(split: str, prepared: PreparedCorpus, shortlist: Shortlist, language: str) -> None:
    """How many pieces a sentence of held-out text has in its list, and how many of those that it needs."""
    store = prepared.valid[split]
    rows = np.flatnonzero(store.language_numbers(np.arange(len(store)))[1] == store.languages.index(language))
    if len(rows) == 0:
        return
    sources, targets = store.ids(rows)
    common = shortlist.languages[language].common
    own = shortlist.lists([line.tolist() for line in sources], language, [()] * len(rows))
    listed = [np.isin(line, np.concatenate([common, some])) for line, some in zip(targets, own, strict=True)]
    length = len(common) + sum(map(len, own)) / len(rows)
    print(
        f"{split}, into {language}: {length:.0f} of {prepared.tokenizer.sizes[1]:,} pieces a sentence, "
        f"{np.concatenate(listed).mean():.1%} of those in its reference"
    )
