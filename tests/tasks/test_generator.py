"""One to many: laws of the generator's network, its searches, and a training from start to text."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from toy_labels import LABELS, SMALL, WORDS, assert_same_weights, generated, generation, network, run, write

from seq2seq.data.loader.batch import Batch
from seq2seq.data.tokenizer.labelled_tokenizer import NumberTokenizer, numbers
from seq2seq.errors import ConfigError
from seq2seq.network.generator import Generator
from seq2seq.search.base import Request
from seq2seq.search.beam import Beam
from seq2seq.search.greedy import Greedy
from seq2seq.search.sampling import Sampling
from seq2seq.special_tokens import BOS, EOS, PAD, UNK
from seq2seq.tasks.labelling.generation import GenerationStatus

pytestmark = pytest.mark.slow

TAG, VOCABULARY = 4, 8
LABEL: dict[str, int | str] = {"condition": "label", "conditions": 3, "vocabulary": VOCABULARY}
NUMBERS: dict[str, int | str] = {"condition": "numbers", "conditions": 2, "vocabulary": VOCABULARY}
SOURCES = {"label": [[0], [2], [1]], "numbers": [numbers(line, 2) for line in ("0.5 -1", "3 3", "1e-3 7.25")]}
TARGETS = [[5, 6, 7], [6], [7, 7, 5, 6, 5]]
LINES = ["red", "", "blue", "violet", " red ", "red", "\u2028"]


def batch_of(sources: list[list[int]], targets: list[list[int]]) -> Batch:
    longest = max(map(len, targets)) + 2
    rows = [[TAG, *row, EOS] + [PAD] * (longest - len(row) - 2) for row in targets]
    lengths = torch.tensor([len(row) + 2 for row in targets])
    source = torch.tensor(sources)
    mask = torch.ones_like(source, dtype=torch.bool)
    return Batch(source, mask, torch.tensor(rows), torch.arange(longest) < lengths[:, None], torch.arange(len(rows)))


def logs(model: Generator, sources: list[list[int]], targets: list[list[int]]) -> list[torch.Tensor]:
    """Log-probabilities of every next token of each row under teacher forcing."""
    with torch.no_grad():
        found = model.logits(model(batch_of(sources, targets))).log_softmax(-1)
    return list(torch.split(found, [len(row) + 1 for row in targets]))


def members(family: str) -> list[str]:
    from toy_network import members

    return members(family)


WIRINGS = [
    *(("label", f"decoder={name}") for name in members("decoder")),
    *(("numbers", f"attention={name}") for name in ("additive", "dot", "none")),
    *(("label", f"bridge={name}") for name in ("none", "projected")),
]


@pytest.mark.parametrize(("condition", "override"), WIRINGS)
def test_forward_equals_steps_and_neighbours_change_nothing(condition: str, override: str) -> None:
    model = network("train_generator", LABEL if condition == "label" else NUMBERS, override)
    sources = SOURCES[condition]
    together = logs(model, sources, TARGETS)
    assert not torch.allclose(together[0][0], together[1][0], atol=1e-3)  # what is asked for matters
    for order in ([2, 0], [1]):
        alone = logs(model, [sources[row] for row in order], [TARGETS[row] for row in order])
        for row, part in zip(order, alone, strict=True):
            torch.testing.assert_close(part, together[row], atol=1e-4, rtol=1e-4)
    batch = batch_of(sources, TARGETS)
    with torch.no_grad():
        memory, state = model.start(batch.source, batch.source_mask)
        for time in range(batch.target.shape[1] - 1):
            step, state = model.step(batch.target[:, time, None], state, memory)
            for row, wanted in enumerate(together):
                if time < len(wanted):
                    torch.testing.assert_close(step[row, 0], wanted[time], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("facts", [LABEL, NUMBERS], ids=["label", "numbers"])
def test_a_wide_beam_equals_exhaustive_search(facts: dict[str, int | str]) -> None:
    model = network("train_generator", facts)
    source = torch.tensor(SOURCES[str(facts["condition"])])
    beam = Beam(200, 20, "power", 0.0, 0.0, 4, 0.0, 0)
    forbidden = torch.tensor([PAD, UNK, BOS, TAG])
    with torch.no_grad():
        request = Request(source, torch.ones_like(source).bool(), torch.tensor([TAG] * 3), forbidden)
        found = beam(model.start, model.step, request)
    every = [list(row) for length in (1, 2, 3) for row in itertools.product((5, 6, 7), repeat=length)]
    for row, hypotheses in enumerate(found):
        parts = logs(model, [source[row].tolist()] * len(every), every)
        scores = [
            float(part.gather(1, torch.tensor([*one, EOS])[:, None]).sum())
            for one, part in zip(every, parts, strict=True)
        ]
        best = sorted(zip(scores, every, strict=True), reverse=True)[:10]
        finished = [one for one in hypotheses if one.finished][:10]
        assert [one.tokens for one in finished] == [tokens for _, tokens in best]
        assert [one.score for one in finished] == pytest.approx([score for score, _ in best], abs=1e-4)


@pytest.mark.parametrize("facts", [LABEL, NUMBERS], ids=["label", "numbers"])
def test_every_parameter_learns(facts: dict[str, int | str]) -> None:
    model = network("train_generator", facts, "attention=none", "decoder.attend=last")
    model.logits(model(batch_of(SOURCES[str(facts["condition"])], TARGETS))).square().sum().backward()
    assert model.condition is not None
    idle = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    assert [name for name in idle if "attend.sublayer.norm" not in name] == []


def test_numbers_are_read_exactly() -> None:
    model = network("train_generator", NUMBERS)
    values = torch.tensor([[257.0, -1.5]])
    bits = torch.tensor([numbers("257 -1.5", 2)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        memory = model.memory(bits).values
    torch.testing.assert_close(memory[:, 0], model.condition.project(values))


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_n_lines_give_n_lines_and_equal_ones_equal_text(batch: int) -> None:
    found = generated(generation(Greedy(0.0, 12, 0.0, 0), batch=batch), LINES)
    asked = [line.strip() in LABELS for line in LINES]
    assert [
        bool(one.text) and one.status in (GenerationStatus.OK, GenerationStatus.TRUNCATED) for one in found
    ] == asked
    assert found[1].status is GenerationStatus.BLANK and found[3].status is GenerationStatus.UNKNOWN
    assert found[0].text == found[4].text == found[5].text != found[2].text
    assert not any("\n" in one.text for one in found)


def test_numbers_that_are_none_are_told() -> None:
    lines = ["1 2", "1", "one two", "", "1 nan", " 3  4 "]
    found = generated(generation(Greedy(0.0, 5, 0.0, 0), NumberTokenizer), lines)
    unknown, blank = GenerationStatus.UNKNOWN, GenerationStatus.BLANK
    assert [one.status for one in found][1:5] == [unknown, unknown, blank, unknown]
    assert found[0].text and found[5].text


def test_samples_differ_from_line_to_line_and_not_from_time_to_time() -> None:
    sampling = Sampling(1.0, None, 1.0, 1.0, 1, 3, 0.0, 8, 0.0, 0)
    lines = ["red"] * 9
    found = [one.text for one in generated(generation(sampling), lines)]
    assert len(set(found)) > 4
    assert found == [one.text for one in generated(generation(sampling, batch=1), lines, chunk=2)]


def words_of_labels(folder: Path) -> None:
    """Each label has one line of its own; so do four vectors."""
    texts = [" ".join(WORDS[(start + place) % 6] for place in range(1 + 2 * start)) for start in range(3)]
    for split, times in (("train", 40), ("valid", 1)):
        write(folder, f"{split}.text", texts * times)
        write(folder, f"{split}.label", list(LABELS) * times)
        write(folder, f"{split}.vector", ["0 1", "1 0", "1 1"] * times)


def overrides(folder: Path, direction: str = "label-text", updates: int = 120) -> list[str]:
    text = ["corpus=files", f"corpus.path={folder}", f"corpus.directions=[{direction}]", "tokenizer.vocab_size=22"]
    depth = ["decoder.layers=1", "decoder.feed_forward=0", "cleaning=none", "cell=gru", "attention=dot"]
    budget = [
        f"trainer.updates={updates}",
        "trainer.validate_every=60",
        "loader.max_tokens=200",
        "trainer.metric=exact",
    ]
    return [*text, *depth, *budget, "search.max_length_extra=20"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the text above and a run on its labels."""
    folder = tmp_path_factory.mktemp("generator")
    words_of_labels(folder)
    assert run("train_generator", folder, *overrides(folder)) == 0
    return folder


def test_it_learns_a_line_for_each_label(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(trained, "in.txt", ["red", "", "blue", "violet"])
    assert run("generate", trained, f"input={trained / 'in.txt'}", f"output={trained / 'out.txt'}") == 0
    assert (trained / "out.txt").read_text("utf-8") == "mi nu pesto rafi ka\n\nka\n\n"
    said = capfd.readouterr().err
    assert "1 blank" in said and "1 unknown" in said and "blue, green, red" in said
    assert run("generate", trained, f"input={trained / 'in.txt'}", "output_format=json", "search.n_best=2") == 0
    first, *_ = [json.loads(line) for line in capfd.readouterr().out.split("\n")[:-1]]
    assert first["text"] == "mi nu pesto rafi ka" == first["best"][0][0] and len(first["best"]) == 2


def test_it_learns_a_line_for_each_vector(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    given = [*overrides(trained, "vector-text"), "condition=numbers"]
    assert run("train_generator", trained, *given, name="vectors") == 0
    write(trained, "vectors.txt", ["1 1", "0 1.0"])
    assert run("generate", trained, f"input={trained / 'vectors.txt'}", name="vectors") == 0
    assert capfd.readouterr().out == "mi nu pesto rafi ka\nka\n"


def test_a_stopped_run_ends_as_one_that_never_was(trained: Path) -> None:
    for name, updates in (("whole", 14), ("stopped", 6), ("stopped", 14)):
        assert run("train_generator", trained, *overrides(trained, updates=updates), name=name) == 0
    assert_same_weights(trained / "whole", trained / "stopped")


def test_impossible_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="batch_size"):
        generation(Greedy(0.0, 5, 0.0, 0), batch=0)
    with pytest.raises(ConfigError, match=r"model\.conditions"):
        network("train_generator", {**NUMBERS, "conditions": 0})
    assert SMALL
