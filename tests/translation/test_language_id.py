"""Which language a translation is in: told from the pieces of the training text, or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_translator import DIRECTIONS, WORDS, Echo, echo_translator, random_model, random_node, toy_tokenizer

from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import prepare
from seq2seq.data.dataset.store import Store
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.data.tokenizer.train import TokenizerSettings
from seq2seq.errors import ModelError
from seq2seq.search.greedy import Greedy
from seq2seq.translation.checks import language_id as language
from seq2seq.translation.checks.language_id import FILE, LanguageIdentifier, learn_languages
from seq2seq.translation.folder import load, save
from seq2seq.translation.translation import Status
from seq2seq.translation.translator import Translator


def stored(folder: Path, directions: list[str], settings: TokenizerSettings | Tokenizer) -> tuple[Store, Tokenizer]:
    """Made-up text of two languages, prepared."""
    draw = torch.Generator().manual_seed(3)
    lines = [[WORDS[int(word)] for word in torch.randint(len(WORDS), (6,), generator=draw)] for _ in range(300)]
    for side, name in enumerate(("en", "de")):
        (folder / f"train.{name}").write_text(
            "".join(" ".join(w[side] for w in line) + "\n" for line in lines), "utf-8"
        )
    corpus = Files(str(folder), directions, ["en", "de"], ["train"], [], [])
    prepared = prepare(corpus, {}, settings, folder / "cache", 100)
    return prepared.train, prepared.tokenizer


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> LanguageIdentifier:
    found = learn_languages(*stored(tmp_path_factory.mktemp("text"), ["en-de"], toy_tokenizer()))
    assert found is not None
    return found


def ids(line: str) -> list[int]:
    return toy_tokenizer().encode([line], "de", "target")[0]


def test_another_language_is_told_and_little_is_not_decided(languages: LanguageIdentifier) -> None:
    assert languages.foreign(ids("the big dog sees the house"), "de")
    assert languages.foreign(ids("das große Haus sieht das Haus"), "en")
    assert not languages.foreign(ids("the big dog sees the house"), "en")
    assert not languages.foreign(ids("das große Haus sieht das Haus"), "de")
    assert not languages.foreign(ids("dog"), "de") and not languages.foreign([], "de")
    assert not languages.foreign(ids("the big dog sees the house"), "fr")  # of which nothing is known


def test_one_word_cannot_decide(languages: LanguageIdentifier) -> None:
    sure = LanguageIdentifier(["de", "en"], np.array([[-50.0, -1.0], [-1.0, -1.0]]))
    assert not sure.foreign([0, 1], "de") and sure.foreign([0, 0, 0], "de")
    assert not sure.foreign([0, 0, 0] + [1] * 30, "de")  # a quotation in a long line


def test_counts_are_bounded_and_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, tokenizer = stored(tmp_path, ["en-de", "de-en"], toy_tokenizer())
    monkeypatch.setattr(language, "LINES", 20)
    first, again = learn_languages(store, tokenizer), learn_languages(store, tokenizer)
    assert first is not None and again is not None and np.array_equal(first.scores, again.scores)
    assert np.allclose(np.exp(first.scores).sum(1), 1)
    monkeypatch.setattr(language, "LINES", 10_000)
    whole = learn_languages(store, tokenizer)
    assert whole is not None and not np.array_equal(first.scores, whole.scores)


def test_one_language_with_pieces_of_its_own_tells_nothing(tmp_path: Path) -> None:
    assert (
        learn_languages(
            *stored(
                tmp_path,
                ["en-de"],
                TokenizerSettings("bpe", 60, False, False, "identity", True, 1.0, 1.0, 1, [], False),
            )
        )
        is None
    )


def test_a_folder_brings_its_languages_and_an_older_one_none(tmp_path: Path, languages: LanguageIdentifier) -> None:
    save(tmp_path / "new", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {}, languages=languages)
    save(tmp_path / "old", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    found = load(tmp_path / "new").languages
    assert found is not None and found.names == languages.names
    assert np.allclose(found.scores, languages.scores, atol=0.01)
    assert load(tmp_path / "old").languages is None
    written, beside = (tmp_path / "new" / FILE).stat(), (tmp_path / "new" / "config.json").stat()
    assert written.st_size < 5 * languages.scores.size and written.st_mode == beside.st_mode


@pytest.mark.parametrize("content", [b"", b"nothing", "pipe", "fewer", "infinite"])
def test_damaged_ones_are_refused(tmp_path: Path, languages: LanguageIdentifier, content: bytes | str) -> None:
    if isinstance(content, bytes):
        (tmp_path / FILE).write_bytes(content)
    elif content == "pipe":
        os.mkfifo(tmp_path / FILE)
    else:
        wrong = languages.scores[:, 1:] if content == "fewer" else languages.scores * 1e9
        with np.errstate(over="ignore"):
            LanguageIdentifier(["en", "de"], wrong).save(tmp_path)
    with pytest.raises(ModelError, match=r"languages\.safetensors"):
        LanguageIdentifier.load(tmp_path, toy_tokenizer().sizes[1])
    assert LanguageIdentifier.load(tmp_path / "elsewhere", 5) is None


def test_a_translation_in_the_wrong_language_is_said_to_be_so(languages: LanguageIdentifier) -> None:
    parts = (Echo(), toy_tokenizer(), Greedy(1.0, 2, 0.0, 0), DIRECTIONS, 100, 500, torch.float32, torch.device("cpu"))
    translator = Translator(*parts, None, languages)
    lines = ["the big dog sees the house", "das große Haus sieht das Haus", "dog"]
    assert [one.notes for one in translator.translate(lines, "en", "de")] == [
        (Status.OFF_TARGET, Status.COPIED),
        (Status.COPIED,),
        (),
    ]
    assert Status.OFF_TARGET not in next(echo_translator().translate(lines, "en", "de")).notes
