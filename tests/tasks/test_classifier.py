"""Many to one: laws of the classifier's network, its labels on any input, and a training from start to label."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy_folder import set_keys
from toy_labels import LABELS, SHALLOW, WORDS, assert_same_weights, network, node, run, toy_tokenizer, write

from seq2seq.data.loader.labelled_loader import classified
from seq2seq.data.tokenizer.labelled_tokenizer import ClassTokenizer
from seq2seq.errors import ConfigError, DataError, ModelError
from seq2seq.network.classifier import Classifier, pooled_over
from seq2seq.tasks.labelling.folder import load, open_labeller, save
from seq2seq.tasks.labelling.label_metrics import LabelCounts, Reference
from seq2seq.tasks.labelling.labeller import Labeller, Labelling, LabelStatus, probabilities

pytestmark = pytest.mark.slow

FACTS: dict[str, int | str] = {"vocabulary": 13, "labels": 3}
ROWS = [[4, 6, 7, 8], [4, 9, 10], [5], [12, 5, 6, 7, 9, 9, 4]]
LINES = ["ka lo", "", "mi nu pesto rafi ka", " \u3000", "rafi", "\u2028\x00 ka\x85", "x" * 3000, "\t", "ka lo"]
LABELLER = {"_target_": "seq2seq.tasks.labelling.labeller.Labeller", "_partial_": True, "batch_tokens": 100}
POOLS = ("mean", "max", "last")
SHAPES = ("unidirectional", "bidirectional", "alternating", "gnmt")


def answers(model: Classifier, rows: list[list[int]]) -> torch.Tensor:
    arrays = [np.array(row) for row in rows]
    batch = classified(arrays, [np.zeros(1, dtype=np.int64)] * len(rows), np.arange(len(rows)))
    with torch.no_grad():
        return probabilities(model, batch, torch.float32, torch.device("cpu"))


def labeller(batch_tokens: int = 100) -> Labeller:
    tokenizer = toy_tokenizer()
    model = network("train_classifier", tokenizer.facts)
    return Labeller(model, tokenizer, batch_tokens, torch.float32, torch.device("cpu"))


def labelled(labeller: Labeller, lines: list[str]) -> list[Labelling]:
    [found] = labeller.label_chunks([lines])
    return found


@pytest.mark.parametrize(("pool", "shape"), [*product(POOLS, SHAPES[:2]), *(("mean", shape) for shape in SHAPES[2:])])
def test_padding_and_neighbours_change_nothing(pool: str, shape: str) -> None:
    model = network("train_classifier", FACTS, f"model.pool={pool}", f"encoder={shape}")
    together = answers(model, ROWS)
    torch.testing.assert_close(together.sum(1), torch.ones(4, dtype=torch.float64))
    logs = together.log()
    assert (logs.amax(0) - logs.amin(0)).max() > 0.1  # the model does not answer the same to everything
    for order in ([2, 0, 3, 1], [1], [2], [0, 1]):
        alone = answers(model, [ROWS[row] for row in order]).log()
        torch.testing.assert_close(alone, logs[order], atol=1e-4, rtol=1e-4)


def test_pools() -> None:
    values = torch.tensor([[[1.0, -5.0], [3.0, -1.0], [99.0, 99.0]], [[1.0, 2.0], [4.0, -2.0], [-3.0, 0.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    expected = {
        "mean": [[2.0, -3.0], [2 / 3, 0.0]],
        "max": [[3.0, -1.0], [4.0, 2.0]],
        "last": [[3.0, -1.0], [-3.0, 0.0]],
    }
    for pool in POOLS:
        torch.testing.assert_close(pooled_over(values, mask, pool), torch.tensor(expected[pool]))


@pytest.mark.parametrize("pool", POOLS)
def test_every_parameter_learns_and_dropout_acts_in_training_only(pool: str) -> None:
    shape = "unidirectional" if pool == "last" else "bidirectional"  # whose leftward layers would have no past there
    model = network("train_classifier", FACTS, f"model.pool={pool}", f"encoder={shape}", "model.dropout=0.5")
    assert torch.equal(answers(model, ROWS), answers(model, ROWS))
    model.train()
    assert not torch.equal(answers(model, ROWS), answers(model, ROWS))
    batch = classified([np.array(row) for row in ROWS], [np.array([1])] * 4, np.arange(4))
    model.logits(model(batch)).square().sum().backward()
    assert [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()] == []


@pytest.mark.parametrize("batch", [1, 20, 10_000])
def test_n_lines_get_n_labels_whatever_they_hold(batch: int) -> None:
    found = labelled(labeller(batch), LINES)
    assert [one.status for one in found] == [
        LabelStatus.BLANK if not line.strip() else LabelStatus.OK for line in LINES
    ]
    alone = [labelled(labeller(), [line])[0] for line in LINES]
    for one, other in zip(found, alone, strict=True):
        assert one.labels == other.labels and len(one.labels) == (one.status is LabelStatus.OK)
        torch.testing.assert_close(torch.tensor(one.probabilities), torch.tensor(other.probabilities))
        assert all(abs(sum(row) - 1) < 1e-9 and LABELS[np.argmax(row)] == one.labels[0] for row in one.probabilities)


def test_a_model_folder_gives_the_classifier_back(tmp_path: Path) -> None:
    mine = labeller()
    save(
        tmp_path / "model",
        "classifier",
        mine.model,
        node("train_classifier"),
        mine.tokenizer,
        {"valid": {"accuracy": 12.5}},
    )
    names = {"README.md", "config.json", "model.safetensors", "tokenizer.model", "labels.json"}
    assert {path.name for path in (tmp_path / "model").iterdir()} == names
    back = open_labeller(tmp_path, LABELLER, "fp32")
    assert labelled(back, LINES) == labelled(mine, LINES)
    found = load(tmp_path, "classifier")
    assert found.scores == {"valid": {"accuracy": 12.5}} and isinstance(found.tokenizer, ClassTokenizer)
    (tmp_path / "model/labels.json").write_text('["blue", "red"]', "utf-8")
    with pytest.raises(ModelError, match=r"labels\.json: is not as it was written"):
        load(tmp_path, "classifier")
    set_keys(tmp_path / "model")
    with pytest.raises(ModelError, match=r"model\.labels: 3 does not fit"):
        load(tmp_path, "classifier")
    with pytest.raises(ModelError, match="expected a generator, got a classifier: use it with `seq2seq label`"):
        load(tmp_path, "generator")


def test_agreement_is_counted() -> None:
    counts = LabelCounts()
    for predicted, wanted in ((["a", "a"], ["a", "b"]), (["b"], ["b"]), (["a"], ["c"])):
        counts.add(predicted, wanted)
    found = counts.agreement()
    assert (found.accuracy, found.labels) == (50, 4)
    assert found.lines == pytest.approx(100 / 3)
    assert found.f1 == pytest.approx({"a": 50, "b": 200 / 3, "c": 0}) and found.macro_f1 == pytest.approx(350 / 9)
    assert LabelCounts().agreement().accuracy == 0


@pytest.mark.parametrize(
    ("lines", "message"),
    [(["red"], "ends before line 2"), (["red", "red", "red"], "has 3 lines, more lines than the input's 2")],
)
def test_a_reference_has_the_lines_of_the_input(lines: list[str], message: str, tmp_path: Path) -> None:
    reference = Reference(labeller(), write(tmp_path, "right", lines))
    with pytest.raises(DataError, match=message):
        list(reference.label_chunks([["ka", "lo"]]))
        reference.agreement()


def order_matters(folder: Path) -> None:
    """Which of the words ka and lo comes first? Every line has both, and some others around them."""
    draw = np.random.default_rng(1)
    for split, size in (("train", 400), ("valid", 100)):
        rows = ["text\tlabel"]
        for _ in range(size):
            words = [str(word) for word in draw.choice(WORDS[2:], draw.integers(0, 4))]
            first, second = draw.permutation(["ka", "lo"])
            place = draw.integers(0, len(words) + 1)
            words.insert(draw.integers(place, len(words) + 1), second)
            words.insert(place, first)
            rows.append(f"{' '.join(words)}\t{first}")
        write(folder, f"{split}.tsv", rows)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the text above and a run on it."""
    folder = tmp_path_factory.mktemp("classifier")
    order_matters(folder)
    assert run("train_classifier", folder, *overrides(folder)) == 0
    return folder


def overrides(folder: Path, updates: int = 120) -> list[str]:
    text = ["corpus=tsv", f"corpus.path={folder}", "corpus.directions=[text-label]", "tokenizer.vocab_size=24"]
    return [*text, *SHALLOW, f"trainer.updates={updates}", "trainer.validate_every=40", "loader.max_tokens=300"]


def test_it_learns_which_of_two_words_came_first(trained: Path) -> None:
    log = [json.loads(line) for line in (trained / "run/log.jsonl").read_text("utf-8").split("\n")[:-1]]
    best = max(entry["scores"]["accuracy"] for entry in log if entry["event"] == "validation")
    assert best == 100


def test_a_stopped_run_ends_as_one_that_never_was(trained: Path) -> None:
    for name, updates in (("whole", 14), ("stopped", 6), ("stopped", 14)):
        assert run("train_classifier", trained, *overrides(trained, updates), name=name) == 0
    assert_same_weights(trained / "whole", trained / "stopped")


def test_label_writes_a_line_for_each_line(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(trained, "in.txt", ["ka mi lo", "", "lo\u2028 rafi ka", "nu lo ka"])
    write(trained, "right.txt", ["ka", "", "lo", "ka"])
    files = [
        f"input={trained / 'in.txt'}",
        f"references={trained / 'right.txt'}",
        f"results={trained / 'results.json'}",
    ]
    assert run("label", trained, *files, f"output={trained / 'out.txt'}") == 0
    assert (trained / "out.txt").read_bytes() == b"ka\n\nlo\nlo\n"
    assert "accuracy 66.67 %" in capfd.readouterr().err
    assert json.loads((trained / "results.json").read_text("utf-8"))["labels"] == 3
    assert run("label", trained, files[0], "output_format=json") == 0
    first, blank, *_ = [json.loads(line) for line in capfd.readouterr().out.split("\n")[:-1]]
    assert first["label"] == "ka" and sum(first["probabilities"].values()) == pytest.approx(1, abs=2e-4)
    assert blank == {"status": "blank"}


def test_results_need_a_reference_and_other_commands_another_model(
    trained: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("label", trained, "results=somewhere") == 1
    assert "needs references=" in capfd.readouterr().err
    assert run("generate", trained) == 1
    assert "got a classifier: use it with `seq2seq label`" in capfd.readouterr().err
    assert set(load_file(trained / "run/model/model.safetensors")) >= {"output_weight", "embedding.weight"}


def test_batches_of_no_tokens_are_refused() -> None:
    with pytest.raises(ConfigError, match="batch_tokens"):
        labeller(0)
