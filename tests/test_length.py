"""What lengths a model was trained on is counted, and goes with it."""

import json
from pathlib import Path

import pytest
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

from seq2seq.data.corpus.files import Files
from seq2seq.data.prepare import prepare
from seq2seq.errors import ModelError
from seq2seq.translation.api import load
from seq2seq.translation.length import usual_length
from seq2seq.translation.model_folder import load as load_folder
from seq2seq.translation.model_folder import save


@pytest.mark.parametrize(("lengths", "usual"), [([5], 5), ([1, 2, 3, 40], 3), ([7] * 74 + [9] * 26, 9)])
def test_three_of_four_lines_are_not_longer(tmp_path: Path, lengths: list[int], usual: int) -> None:
    (tmp_path / "train.en").write_text("".join("dog" * length + "\n" for length in lengths), "utf-8")
    (tmp_path / "train.de").write_text("Hund\n" * len(lengths), "utf-8")
    corpus = Files(str(tmp_path), ["en-de"], ["en", "de"], ["train"], [], [])
    store = prepare(corpus, {}, toy_tokenizer(), tmp_path / "cache", 1000).train
    counts = sorted(len(ids) for ids in toy_tokenizer().encode(["dog" * length for length in lengths], "en", "source"))
    assert usual_length(store) == counts[sorted(lengths).index(usual)]


def test_a_folder_tells_what_was_usual_and_an_older_one_does_not(tmp_path: Path) -> None:
    save(tmp_path / "new", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {}, usual_source=17)
    save(tmp_path / "old", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    assert load(tmp_path / "new", "greedy").usual_source == 17
    assert load(tmp_path / "old", "greedy").usual_source == load(tmp_path / "old", "greedy").longest_source
    path = tmp_path / "new" / "config.json"
    content = json.loads(path.read_text("utf-8"))
    del content["sha256"]  # of somebody who changes it on purpose
    path.write_text(json.dumps({**content, "usual_source": "17"}), "utf-8")
    with pytest.raises(ModelError, match=r"usual_source: expected a positive int or null, got '17'"):
        load_folder(tmp_path / "new")
