"""Laws of the language model, its scorer and its sampler: one probability, however it is computed."""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml
from toy_folder import set_keys
from toy_language import VOCABULARY, lines, prepared, toy_language_model
from toy_network import CONF, member, members, toy_batch

from seq2seq.config.build import build
from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.errors import ConfigError, ModelError
from seq2seq.network.language_model import LanguageModel
from seq2seq.network.state import select
from seq2seq.search.base import Request, Search
from seq2seq.search.beam import Beam
from seq2seq.search.greedy import Greedy
from seq2seq.search.sampling import Sampling
from seq2seq.special_tokens import EOS
from seq2seq.tasks.language_model import folder as model_folder
from seq2seq.tasks.language_model.sampler import Sample, Sampler
from seq2seq.tasks.language_model.scorer import Score, Scorer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return prepared(tmp_path_factory.mktemp("text"))


def scorer(text: PreparedCorpus, batch_tokens: int = 1000, top_k: int = 0) -> Scorer:
    return Scorer(toy_language_model(), text.tokenizer, ["en"], batch_tokens, top_k, torch.float32, CPU)


def scores(text: PreparedCorpus, found: list[str], batch_tokens: int = 1000) -> list[Score]:
    return [score for chunk in scorer(text, batch_tokens).score([found], "en") for score in chunk]


def sampled(text: PreparedCorpus, search: Search, beginnings: list[str], batch: int = 4) -> list[Sample]:
    sampler = Sampler(toy_language_model(), text.tokenizer, ["en"], search, batch, torch.float32, CPU)
    return [sample for chunk in sampler.sample(beginnings, "en") for sample in chunk]


@pytest.mark.parametrize(("cell", "feed_forward"), [*((cell, 0) for cell in members("cell")), ("gru", 2)])
def test_forward_equals_start_and_steps(cell: str, feed_forward: int) -> None:
    """Rows of different lengths, read whole; and begun together, each at its own place, then stepped."""
    model = toy_language_model(cell, feed_forward=feed_forward)
    rows = [[4, 5, 6, 7, 5, 6], [4, 7], [4, 6, 6, 5]]
    batch = toy_batch(rows, rows)
    features = iter(model.logits(model(batch)).log_softmax(-1))
    begun = torch.tensor([2, 0, 3])
    mask = torch.arange(3) < begun.unsqueeze(1)
    memory, state = model.start(batch.target[:, :3] * mask, mask)
    assert memory == ()
    for number, row in enumerate(rows):
        expected = [next(features) for _ in row]
        one_state = select(state, torch.tensor([number]))
        for time in range(int(begun[number]), len(row)):
            likely, one_state = model.step(torch.tensor([[row[time]]]), one_state, memory)
            torch.testing.assert_close(likely[0, 0], expected[time], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cell", members("cell"))
def test_parts_with_a_carried_state_equal_the_whole(cell: str) -> None:
    model = toy_language_model(cell)
    tokens = torch.randint(4, VOCABULARY, (3, 11))
    whole, _ = model.read(tokens, None, model.initial_state(3))
    state, found = model.initial_state(3), []
    for part in (tokens[:, :4], tokens[:, 4:5], tokens[:, 5:]):
        features, state = model.read(part, None, state)
        found.append(features)
    torch.testing.assert_close(torch.cat(found, 1), whole, rtol=1e-4, atol=1e-5)


def test_hypotheses_of_a_beam_keep_their_own_states() -> None:
    """The best of a beam wide enough is the best of all lines up to the longest."""
    model = toy_language_model()
    nothing = torch.zeros(1, 0, dtype=torch.long)
    request = Request(nothing, nothing.bool(), torch.tensor([4]), torch.tensor([0, 1, 2, 4]))
    [[found]] = Beam(2000, 1, "power", 0.0, 0.0, 4, 0.0, 0)(model.start, model.step, request)
    best = max(
        (probability(model, [*ids, EOS]), ids) for length in (1, 2, 3) for ids in product((5, 6, 7), repeat=length)
    )
    assert (found.tokens, found.finished) == (list(best[1]), True)
    assert found.score == pytest.approx(math.log(best[0]), abs=1e-4)


@torch.no_grad()
def probability(model: LanguageModel, ids: list[int]) -> float:
    """The product of step probabilities, from the tag on."""
    memory, state = model.start(torch.zeros(1, 0, dtype=torch.long), torch.zeros(1, 0, dtype=torch.bool))
    total, before = 1.0, 4
    for one in ids:
        likely, state = model.step(torch.tensor([[before]]), state, memory)
        chances = likely[0, 0].exp()
        assert float(chances.sum()) == pytest.approx(1, abs=1e-5)
        total, before = total * float(chances[one]), one
    return total


def test_a_line_is_as_probable_as_its_steps_together(text: PreparedCorpus) -> None:
    model = toy_language_model()
    for line, score in zip(lines(5), scores(text, lines(5)), strict=True):
        [ids] = text.tokenizer.encode([line], "en", "target")
        assert math.exp(score.log_probability) == pytest.approx(probability(model, [*ids, EOS]), rel=1e-4)
        assert "".join(token.piece for token in score.tokens) == f"{line.replace(' ', '▁')}</s>"
        assert score.perplexity == pytest.approx(math.exp(-score.log_probability / (len(line) + 1)))
        assert score.bits_per_character == pytest.approx(-score.log_probability / math.log(2) / (len(line) + 1))


def test_all_strings_up_to_a_length_and_what_is_longer_have_probability_one(text: PreparedCorpus) -> None:
    """Every id but EOS counts as a letter: what ends within three of them, and what goes on after."""
    judge, letters = scorer(text), [one for one in range(VOCABULARY) if one != EOS]
    ended = 0.0
    for length in range(4):
        rows = [[*ids, EOS] for ids in product(letters, repeat=length)]
        ended += chance(judge, rows)
    rest = chance(judge, list(product(letters, repeat=4)))
    assert 0.1 < rest < 0.99
    assert ended + rest == pytest.approx(1, abs=1e-4)


def chance(judge: Scorer, rows: Sequence[Sequence[int]]) -> float:
    """Of any of these beginnings."""
    return sum(math.exp(float(one.scores.sum())) for one in judge.predict(rows, "en"))


def test_the_likeliest_tokens_of_every_place_are_told(text: PreparedCorpus) -> None:
    every = scorer(text, top_k=VOCABULARY)
    [[score]] = every.score([["ab b"]], "en")
    assert len(score.tokens) == 5
    for token in score.tokens:
        values = [value for _, value in token.likeliest]
        assert sum(map(math.exp, values)) == pytest.approx(1, abs=1e-5) and values == sorted(values, reverse=True)
        assert dict(token.likeliest)[token.piece] == token.log_probability
    [[two]] = scorer(text, top_k=2).score([["ab b"]], "en")
    assert [token.likeliest for token in two.tokens] == [token.likeliest[:2] for token in score.tokens]


@pytest.mark.parametrize("batch_tokens", [1, 4, 30])
def test_neighbours_parts_and_blank_lines_change_no_score(text: PreparedCorpus, batch_tokens: int) -> None:
    given = ["", *lines(12), "  ", "a" * 50, ""]
    together = scores(text, given)
    assert [score.blank for score in together] == [not line.strip() for line in given]
    for line, score, other in zip(given, together, scores(text, given, batch_tokens), strict=True):
        [alone] = scores(text, [line])
        for found in (alone, other):
            assert found.log_probability == pytest.approx(score.log_probability, abs=1e-4)
            assert [token.piece for token in found.tokens] == [token.piece for token in score.tokens]
            assert found.characters == score.characters


def test_samples_are_scored_as_the_scorer_does(text: PreparedCorpus) -> None:
    for one in sampled(text, Sampling(1.0, None, 1.0, 1.0, 1, 3, 0.0, 30, 0.0, 0), [""] * 20):
        [score] = scores(text, [one.text])
        assert one.finished and one.beginning == "" and one.text
        assert score.blank or one.log_probability == pytest.approx(score.log_probability, abs=1e-3)


def test_samples_go_on_from_their_beginnings_whatever_the_batch(text: PreparedCorpus) -> None:
    search = Sampling(1.5, None, 1.0, 1.0, 1, 3, 0.0, 30, 0.0, 0)
    beginnings = ["", "a b", "bbbb", "a", "a", "", "a ", "a"]
    together = sampled(text, search, beginnings, batch=8)
    alone = sampled(text, search, beginnings, batch=1)
    assert [one.text for one in alone] == [one.text for one in together]
    for beginning, one in zip(beginnings, together, strict=True):
        assert one.text.startswith(beginning) and len(one.text) > len(beginning)
        if one.finished:
            [whole] = scores(text, [one.text])
            added = sum(token.log_probability for token in whole.tokens[len(beginning) :])
            assert one.log_probability == pytest.approx(added, abs=1e-3)
    assert len({one.text for one in together if one.beginning == "a"}) > 1  # each line draws for itself


def test_the_likeliest_line_can_be_asked_for(text: PreparedCorpus) -> None:
    [greedy] = sampled(text, Greedy(0.0, 30, 0.0, 0), ["a"])
    [cold] = sampled(text, Sampling(1e-4, None, 1.0, 1.0, 1, 1, 0.0, 30, 0.0, 0), ["a"])
    assert greedy == cold


def test_a_folder_gives_the_model_back(text: PreparedCorpus, tmp_path: Path) -> None:
    node = yaml.safe_load((CONF / "language_model" / "default.yaml").read_text("utf-8"))
    node |= {"embedding": 6, "width": 6, "cell": cell_node("cell/gru"), "sublayer": cell_node("sublayer/pre_norm")}
    model: LanguageModel = build(node, {"vocabulary": VOCABULARY}, "model")
    model_folder.save(tmp_path / "model", model, node, text.tokenizer, ["en"], {"valid": {"loss": 1.0}})
    found = model_folder.load(tmp_path)
    assert (found.languages, found.scores) == (["en"], {"valid": {"loss": 1.0}})
    assert not found.model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], tensor)
    assert found.tokenizer.models == text.tokenizer.models
    set_keys(tmp_path / "model", kind="translator")
    with pytest.raises(ModelError, match=r"expected a language_model, got a translator.*seq2seq translate"):
        model_folder.load(tmp_path)


def cell_node(name: str) -> object:
    return yaml.safe_load((CONF / f"{name}.yaml").read_text("utf-8"))


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_counted_by_the_formula(tied: bool) -> None:
    """Embedding n_y n_x, per layer a GRU's 3 ((n_a + n_x) n_a + n_a) + n_a and a norm's 2 n_a, output n_a n_y + n_y
    (tied: a map n_a n_x + n_x instead of a table)."""
    size, parts = 6, (member("cell", "gru"), member("sublayer", "pre_norm"))
    model = LanguageModel(VOCABULARY, size, size, 2, 0, tied, 0.0, 0.0, *parts)
    layer = sum(one.numel() for one in parts[0](size, size).parameters()) + 2 * size
    output = size * size + size if tied else VOCABULARY * size
    expected = VOCABULARY * size + output + VOCABULARY + 2 * layer + 2 * size
    assert sum(one.numel() for one in model.parameters()) == expected
    assert (model.output_weight is model.embedding.weight) == tied


def test_illegal_values_are_named(text: PreparedCorpus) -> None:
    parts = (member("cell", "gru"), member("sublayer", "pre_norm"))
    for key, values in {
        "embedding": (0, 8, 1, 0),
        "width": (8, 0, 1, 0),
        "layers": (8, 8, 0, 0),
        "feed_forward": (8, 8, 1, -1),
    }.items():
        with pytest.raises(ConfigError, match=rf"model\.{key}"):
            LanguageModel(VOCABULARY, *values, False, 0.0, 0.0, *parts)
    for key, given in {"batch_tokens": (0, 0), "top_k": (1, VOCABULARY + 1)}.items():
        with pytest.raises(ConfigError, match=key):
            scorer(text, *given)
    with pytest.raises(ConfigError, match="language=de: this model knows en"):
        scorer(text).score([["a"]], "de")
