"""Laws of ensembles: one model is itself, several are the weighted mean of their probabilities, whatever searches."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from toy_network import toy_batch, toy_model
from toy_text import toy_corpus, vocabulary
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

import seq2seq
from seq2seq.config.build import build
from seq2seq.data.tokenizer.train import train_tokenizer
from seq2seq.errors import ConfigError, ModelError
from seq2seq.network.ensemble import Ensemble
from seq2seq.network.model import Model
from seq2seq.search.beam import Beam
from seq2seq.translation.folder import save

pytestmark = pytest.mark.slow

LINES = ["the dog sees the house.", "two big dog", "", "house house"]
BATCH = toy_batch([[4, 6, 7, 8], [5, 9]], [[4, 8, 7, 6], [5, 11]])


def different() -> list[Model]:
    """Models that share nothing but their vocabulary."""
    torch.manual_seed(4)
    return [toy_model(cell="gru"), toy_model(width=12, cell="sru", decoder="conditional", attention="additive")]


def probabilities(network: Model | Ensemble) -> list[torch.Tensor]:
    """Of three steps, along the batch's target."""
    memory, state = network.start(BATCH.source, BATCH.source_mask)
    found = []
    for place in range(3):
        likely, state = network.step(BATCH.target[:, place : place + 1], state, memory)
        found.append(likely.exp())
    return found


def test_an_ensemble_of_one_is_the_model() -> None:
    for model in different():
        torch.testing.assert_close(probabilities(Ensemble([model], [3.0])), probabilities(model))


@pytest.mark.parametrize("weights", [[1.0, 1.0], [3.0, 1.0]])
def test_probabilities_are_the_weighted_mean(weights: list[float]) -> None:
    one, other = different()
    mixed = probabilities(Ensemble([one, other], weights))
    for found, left, right in zip(mixed, probabilities(one), probabilities(other), strict=True):
        torch.testing.assert_close(found, (weights[0] * left + weights[1] * right) / sum(weights))


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, -1.0]])
def test_weights_are_positive_and_as_many_as_models(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="weights: expected a positive number for each of the 2 models"):
        Ensemble(different(), weights)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models of other weights, the second of one direction only."""
    made = []
    for number in range(2):
        model = deepcopy(random_model())
        if number:
            with torch.no_grad():
                for one in model.parameters():
                    one.copy_(one.flip(0))
        folder = tmp_path_factory.mktemp("models") / str(number)
        save(folder, model, random_node(), toy_tokenizer(), DIRECTIONS[: 2 - number], {})
        made.append(folder)
    return made


def test_folders_translate_together(folders: list[Path]) -> None:
    search = Beam(3, 1, "power", 1.0, 1.0, 10, 0.0, 0)
    alone = [list(seq2seq.load(folder, search, "fp32").translate(LINES, "en", "de")) for folder in folders]
    together = list(seq2seq.load(folders, search, "fp32").translate(LINES, "en", "de"))
    twice = list(seq2seq.load([folders[0], folders[0]], search, "fp32").translate(LINES, "en", "de"))
    assert [one.text for one in twice] == [one.text for one in alone[0]]
    assert len(together) == len(LINES) and together[2].text == ""
    assert [one.text for one in together] not in ([one.text for one in alone[0]], [one.text for one in alone[1]])
    with pytest.raises(ConfigError, match="this model translates en-de; choose"):
        seq2seq.load(folders).translate(LINES, "de", "en")  # the second one cannot


def test_the_command_takes_several_folders_and_says_what_does_not_fit(
    seq2seq: Callable[..., CompletedProcess[str]], folders: Sequence[Path], tmp_path: Path
) -> None:
    listed = f"model=[{folders[0]},{folders[1]}]"
    done = seq2seq(["translate", listed, "weights=[2,1]", "cores=1"], tmp_path, "the dog\n\n")
    assert done.returncode in (0, 3) and done.stdout.count("\n") == 2, done.stderr
    done = seq2seq(["translate", listed, "weights=[1]", "cores=1"], tmp_path, "the dog\n")
    assert done.returncode == 1 and "weights: expected a positive number for each of the 2 models" in done.stderr
    done = seq2seq(["evaluate", listed, "corpus=files", "corpus.path=x", "corpus.directions=[en-de]"], tmp_path)
    assert done.returncode == 1 and "output: expected a folder" in done.stderr


def test_models_of_other_tokenizers_are_refused(folders: list[Path], tmp_path: Path) -> None:
    tokenizer = train_tokenizer(toy_corpus(tmp_path / "text", ["en-de", "de-en"]), vocabulary()).tokenizer
    model: Model = build(
        random_node(), dict(zip(("source_vocabulary", "target_vocabulary"), tokenizer.sizes, strict=True))
    )
    save(tmp_path / "other", model, random_node(), tokenizer, DIRECTIONS, {})
    with pytest.raises(ModelError, match="have different tokenizers: the models of an ensemble must be trained"):
        seq2seq.load([folders[0], tmp_path / "other"])


def test_models_without_a_common_direction_are_refused(folders: list[Path], tmp_path: Path) -> None:
    save(tmp_path / "back", random_model(), random_node(), toy_tokenizer(), [("de", "en")], {})
    with pytest.raises(ModelError, match="no direction in common"):
        seq2seq.load([folders[1], tmp_path / "back"])
