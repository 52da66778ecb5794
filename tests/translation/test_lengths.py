"""What lengths a model was trained on is counted, and goes with it."""

import json
from pathlib import Path
from typing import Any

import pytest
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import prepare
from seq2seq.errors import ModelError
from seq2seq.translation.api import load
from seq2seq.translation.checks.completeness import Lengths, learn_lengths, shared
from seq2seq.translation.folder import load as load_folder
from seq2seq.translation.folder import save
from seq2seq.translation.stages.segmentation import SegmentLimits


def learnt(folder: Path, pairs: list[tuple[str, str]]) -> dict[tuple[str, str], Lengths]:
    """What a training text in both directions teaches."""
    folder.mkdir(exist_ok=True)
    for side, language in enumerate(("en", "de")):
        (folder / f"train.{language}").write_text("".join(f"{pair[side]}\n" for pair in pairs), "utf-8")
    corpus = Files(str(folder), ["en-de", "de-en"], ["en", "de"], ["train"], [], [])
    return learn_lengths(prepare(corpus, {}, toy_tokenizer(), folder / "cache", 1000).train)


def tokens(text: str) -> int:
    return len(toy_tokenizer().encode([text], "en", "source")[0])


def test_as_many_sentences_are_usual_as_some_lines_have(tmp_path: Path) -> None:
    two, three = "One dog. Two dogs.", "One dog. Two dogs. Three."
    few = learnt(tmp_path / "1", [("One dog.", "Ein Hund.")] * 96 + [(two, "Hund")] * 4)
    many = learnt(tmp_path / "2", [("One dog.", "Hund. Hund.")] * 80 + [(two, "Hund")] * 15 + [(three, "Hund")] * 5)
    assert few["en", "de"].sentences == few["de", "en"].sentences == 1
    assert many["en", "de"].sentences == 3 and many["de", "en"].sentences == 2


def test_the_longest_lines_say_how_long_a_part_may_be(tmp_path: Path) -> None:
    short, long = "the dog " * 10, "the big dog " * 30
    found = learnt(tmp_path, [(short, "das")] * 1985 + [(long, "das")] * 15)
    assert found["en", "de"].tokens == tokens(short.strip()) and found["de", "en"].tokens == 16


def test_short_translations_are_known_by_those_of_training(tmp_path: Path) -> None:
    pairs = [("the dog " * count, "das Hund " * max(1, count - spare)) for count in range(1, 30) for spare in (0, 1)]
    found = learnt(tmp_path, [(one.strip(), other.strip()) for one, other in pairs])["en", "de"]
    for one, other in pairs:
        assert tokens(other.strip()) >= found.fewest(tokens(one.strip())) - 1
    assert 0.4 * tokens("the dog " * 20) < found.fewest(tokens("the dog " * 20)) and Lengths().fewest(50) == 0


def test_a_folder_tells_what_was_usual_and_an_older_one_does_not(tmp_path: Path) -> None:
    lengths = {DIRECTIONS[0]: Lengths(2, 40, 1.1, -2.5, 0.7), DIRECTIONS[1]: Lengths(1, 30, 0.9, -2.0)}
    model = (random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    save(tmp_path / "new", *model, lengths=lengths)
    save(tmp_path / "old", *model)
    assert load_folder(tmp_path / "new").lengths == lengths
    assert load(tmp_path / "new", "greedy").limits("en", "de") == SegmentLimits(40, 2)
    assert load(tmp_path / "old", "greedy").limits("en", "de") == SegmentLimits(250, 1)
    change(tmp_path / "old", {"usual_source": 17})
    assert load(tmp_path / "old", "greedy").limits("de", "en") == SegmentLimits(51, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"usual_source": "17"},
        {"lengths": {}, "usual_source": 0},
        {"lengths": 3},
        {"lengths": ["en-de"]},
        {"lengths": [{"direction": ["en", "de"], "sentences": 0}]},
        {"lengths": [{"direction": ["en", "de"], "tokens": "40"}]},
        {"lengths": [{"direction": ["en", "de"], "token": 40}]},
        {"lengths": [{"direction": ["en", "de"], "ratio": "1"}]},
        {"lengths": [{"direction": ["en", "de"], "attended": "1"}]},
        {"lengths": [{"tokens": 40}]},
    ],
)
def test_nonsense_is_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    save(tmp_path / "model", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    change(tmp_path / "model", wrong)
    with pytest.raises(ModelError, match=r"config.json: (usual_source|lengths): expected .*, got "):
        load_folder(tmp_path / "model")


def test_an_ensemble_takes_what_all_its_models_know() -> None:
    one, other = {("en", "de"): Lengths(2, 40, 1.0, -2.0)}, {("en", "de"): Lengths(1, 60, 1.2, -1.0)}
    assert shared([one, other]) == {("en", "de"): Lengths(1, 40, 1.0, -2.0)}


def change(folder: Path, changed: dict[str, Any]) -> None:
    path = folder / "config.json"
    content = json.loads(path.read_text("utf-8"))
    content.pop("sha256", None)  # of somebody who changes it on purpose
    path.write_text(json.dumps({**content, **changed}), "utf-8")
