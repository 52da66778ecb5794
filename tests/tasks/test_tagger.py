"""Many to many of the same length: laws of the tagger's network, and a training from start to labels."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_labels import LABELS, SHALLOW, WORDS, assert_same_weights, network, run, tag_tokenizer, write

from seq2seq.data.loader.labelled_loader import tagged
from seq2seq.data.tokenizer.labelled_tokenizer import items
from seq2seq.errors import DataError
from seq2seq.network.tagger import Tagger
from seq2seq.tasks.labelling.label_metrics import Reference
from seq2seq.tasks.labelling.labeller import Labeller, Labelling, LabelStatus, probabilities

pytestmark = pytest.mark.slow

RAISED = 13
FACTS: dict[str, int | str] = {"vocabulary": RAISED, "labels": 3}
ROWS = [[17, 6, 7, 21], [17], [22, 10], [25, 18, 6, 7, 9, 22, 4]]  # ids from RAISED on begin a token
COUNTS = [sum(piece >= RAISED for piece in row) for row in ROWS]
LINES = [
    "ka lo",
    "",
    " mi  nu pesto ",
    "\t",
    "rafi",
    "\u2028 ka\x85lo \u3000",
    " ".join(["pesto", "qq"] * 2000),
    "▁ ▁▁",
]
SHAPES = ("unidirectional", "bidirectional", "alternating", "gnmt")


def answers(model: Tagger, rows: list[list[int]]) -> list[torch.Tensor]:
    """Log-probabilities of each row's labels."""
    counts = [sum(piece >= RAISED for piece in row) for row in rows]
    holes = [np.zeros(count, dtype=np.int64) for count in counts]
    batch = tagged([np.array(row) for row in rows], holes, RAISED, np.arange(len(rows)))
    with torch.no_grad():
        found = probabilities(model, batch, torch.float32, torch.device("cpu")).log()
    return list(torch.split(found, counts))


def labeller(batch_tokens: int = 100) -> Labeller:
    tokenizer = tag_tokenizer()
    return Labeller(
        network("train_tagger", tokenizer.facts), tokenizer, batch_tokens, torch.float32, torch.device("cpu")
    )


def labelled(labeller: Labeller, lines: list[str]) -> list[Labelling]:
    [found] = labeller.label_chunks([lines])
    return found


@pytest.mark.parametrize(
    ("piece", "shape", "turned"),
    [
        *(("first", shape, False) for shape in SHAPES),
        ("mean", "bidirectional", False),
        ("mean", "unidirectional", True),
    ],
)
def test_padding_and_neighbours_change_nothing(piece: str, shape: str, turned: bool) -> None:
    settings = (f"model.piece={piece}", f"encoder={shape}", f"encoder.reversed={str(turned).lower()}")
    model = network("train_tagger", FACTS, *settings)
    together = answers(model, ROWS)
    assert [len(one) for one in together] == COUNTS
    torch.testing.assert_close(torch.cat(together).exp().sum(1), torch.ones(sum(COUNTS), dtype=torch.float64))
    assert (together[3].amax(0) - together[3].amin(0)).max() > 0.1  # tokens of a line get answers of their own
    for order in ([2, 0, 3, 1], [1], [2], [0, 1]):
        for row, alone in zip(order, answers(model, [ROWS[row] for row in order]), strict=True):
            torch.testing.assert_close(alone, together[row], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("turned", [False, True])
def test_each_token_answers_for_itself(turned: bool) -> None:
    """In an encoder of one direction a token's label knows nothing of what is read after it."""
    model = network("train_tagger", FACTS, "encoder=unidirectional", f"encoder.reversed={str(turned).lower()}")
    row = [17, 21, 6, 18, 25, 22]
    for place, token in ((0, 0), (1, 1), (3, 2), (4, 3), (5, 4)):
        changed = [*row]
        changed[place] = 19
        difference = (answers(model, [row])[0] - answers(model, [changed])[0]).abs().amax(1) > 1e-5
        read = range(token + 1) if turned else range(token, 5)
        assert difference.nonzero().flatten().tolist() == list(read)


def test_the_mean_of_a_tokens_pieces_speaks_for_it() -> None:
    rows = [[17, 6, 7, 21], [22, 10]]
    first = network("train_tagger", FACTS, "model.piece=first")
    mean = network("train_tagger", FACTS, "model.piece=mean")
    assert torch.equal(answers(first, rows)[0][1], answers(mean, rows)[0][1])  # a token of one piece
    batch = tagged([np.array(row) for row in rows], [np.array([0, 0]), np.array([0])], RAISED, np.arange(2))
    every = mean.read(batch.source, batch.source_mask, batch.target_mask[:, 1:])
    embedded = mean.embedding(batch.source)
    embedded[:, :-1][batch.target_mask[:, 1:]] += mean.begin
    values = mean.encoder(embedded, batch.source_mask).values
    torch.testing.assert_close(every[0], values[0, :3].mean(0))
    torch.testing.assert_close(every[2], values[1, :2].mean(0))


def test_where_tokens_begin_matters_and_every_parameter_learns() -> None:
    model = network("train_tagger", FACTS, "model.dropout=0.5")
    apart, together = answers(model, [[17, 19, 21]])[0], answers(model, [[17, 6, 21]])[0]
    assert not torch.allclose(apart[[0, 2]], together, atol=1e-3)
    model.train()
    batch = tagged(
        [np.array(row) for row in ROWS], [np.zeros(count, dtype=np.int64) for count in COUNTS], RAISED, np.arange(4)
    )
    model.logits(model(batch)).square().sum().backward()
    assert [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()] == []


@pytest.mark.parametrize("batch", [20, 10_000])
def test_n_tokens_get_n_labels_whatever_they_hold(batch: int) -> None:
    found = labelled(labeller(batch), LINES)
    assert [len(one.labels) for one in found] == [len(items(line)) for line in LINES]
    assert [one.status for one in found] == [LabelStatus.OK if items(line) else LabelStatus.BLANK for line in LINES]
    for line, one in zip(LINES, found, strict=True):
        assert all(abs(sum(row) - 1) < 1e-9 for row in one.probabilities) and set(one.labels) <= set(LABELS)
        [alone] = labelled(labeller(), [line])
        assert alone.labels == one.labels


def test_a_reference_has_as_many_labels_as_the_line_has_tokens(tmp_path: Path) -> None:
    reference = Reference(labeller(), write(tmp_path, "right", ["red blue", "", "red"]))
    with pytest.raises(DataError, match=r"right:3: expected 2 labels as in the input, got 1"):
        list(reference.label_chunks([["ka  lo", "", "ka ka"]]))


def tags_look_ahead(folder: Path) -> None:
    """A word is red where another ka follows somewhere behind it, blue where none does; ka itself is green."""
    draw = np.random.default_rng(1)
    for split, size in (("train", 300), ("valid", 60)):
        lines = [[str(word) for word in draw.choice(WORDS, draw.integers(1, 8))] for _ in range(size)]
        write(folder, f"{split}.text", [" ".join(words) for words in lines])
        write(folder, f"{split}.label", [" ".join(colours(words)) for words in lines])


def colours(words: list[str]) -> list[str]:
    return ["green" if word == "ka" else "red" if "ka" in words[place:] else "blue" for place, word in enumerate(words)]


def overrides(folder: Path, updates: int = 100) -> list[str]:
    text = ["corpus=files", f"corpus.path={folder}", "corpus.directions=[text-label]", "tokenizer.vocab_size=24"]
    return [
        *text,
        *SHALLOW,
        f"trainer.updates={updates}",
        "trainer.validate_every=50",
        "loader.max_tokens=300",
        "cell=gru",
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the text above and a run on it."""
    folder = tmp_path_factory.mktemp("tagger")
    tags_look_ahead(folder)
    assert run("train_tagger", folder, *overrides(folder)) == 0
    return folder


def test_it_learns_a_tag_that_depends_on_later_tokens(trained: Path) -> None:
    log = [json.loads(line) for line in (trained / "run/log.jsonl").read_text("utf-8").split("\n")[:-1]]
    scores = [entry["scores"] for entry in log if entry["event"] == "validation"]
    assert max(one["accuracy"] for one in scores) == max(one["lines"] for one in scores) == 100


def test_a_stopped_run_ends_as_one_that_never_was(trained: Path) -> None:
    for name, updates in (("whole", 14), ("stopped", 6), ("stopped", 14)):
        assert run("train_tagger", trained, *overrides(trained, updates), name=name) == 0
    assert_same_weights(trained / "whole", trained / "stopped")


def test_label_serves_the_tagger_too(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(trained, "in.txt", ["lo ka mi", "", "ka  nu ka \u2028 "])
    write(trained, "right.txt", ["red green blue", "", "green red green red"])
    files = [f"input={trained / 'in.txt'}", f"output={trained / 'out.txt'}", f"references={trained / 'right.txt'}"]
    assert run("label", trained, *files) == 0
    lines = (trained / "out.txt").read_bytes().decode().split("\n")
    assert lines[:2] == ["red green blue", ""] and lines[2].startswith("green red green ") and lines[3:] == [""]
    assert "over 7 labels" in capfd.readouterr().err
    assert run("label", trained, files[0], "output_format=json") == 0
    first, *_ = [json.loads(line) for line in capfd.readouterr().out.split("\n")[:-1]]
    assert first["labels"] == ["red", "green", "blue"] and min(first["probabilities"]) > 0.5
