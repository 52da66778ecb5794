"""Laws of encoder, decoders, bridges and the whole model, over every member of each family."""

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from toy_network import VOCABULARY, composed, members, paper_model, toy_batch, toy_model

from seq2seq.config.build import build
from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.network.attention.none import Uniform
from seq2seq.network.model import Model
from seq2seq.network.recurrent import reverse, reversed_order
from seq2seq.network.state import map_state, select, tensors

SOURCES = [[4, 6, 7, 8], [4, 9, 10], [5, 6]]
TARGETS = [[4, 8, 7], [4, 10, 9, 6, 11], [5, 12]]
BATCH = toy_batch(SOURCES, TARGETS)
DECODERS = {
    "parallel": ("decoder.attend=all", "decoder.attend=first", "decoder.attend=last", "decoder.attend=shared"),
    "input_feeding": (),
    "conditional": ("decoder.transitions=2", "decoder.transitions=1"),
}
MET = ("attention", "bridge", "cell", "encoder", "sublayer")  # families that a decoder meets
SETTINGS = ("encoder.reversed=true", "encoder.feed_forward=0")  # of any decoder


def wirings(decoder: str) -> list[tuple[str, ...]]:
    """Overrides that give this decoder each member of each family once, and no more than that."""
    families = [[f"{family}={name}" for name in members(family)] for family in MET]
    families += [list(DECODERS[decoder]), ["", *SETTINGS]]
    count = max(map(len, families))
    return [(f"decoder={decoder}", *(one[row % len(one)] for one in families if one)) for row in range(count)]


NO_ATTENTION = (
    "decoder=parallel",
    "bridge=last",
    "cell=gru",
    "sublayer=plain",
    "encoder.feed_forward=0",
    "decoder.attend=none",
)
PAPERS = [(f"paper={name}",) for name in members("paper")]
WIRINGS = [NO_ATTENTION, *(wiring for decoder in members("decoder") for wiring in wirings(decoder)), *PAPERS]


@pytest.fixture(
    scope="module", params=WIRINGS, ids=lambda wiring: "-".join(one.split("=")[-1] for one in wiring if one)
)
def model(request: pytest.FixtureRequest) -> Model:
    torch.manual_seed(0)
    chosen = dict(one.split("=") for one in request.param if one)
    if "paper" in chosen:
        return paper_model(chosen["paper"]).double()  # in fp32 rounding grows through 14 sharp layers
    return toy_model(
        settings={key: yaml.safe_load(value) for key, value in chosen.items() if "." in key},
        **{key: value for key, value in chosen.items() if "." not in key},
    )


def logits(model: Model, batch: Batch) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(batch))


def test_forward_equals_start_and_steps(model: Model) -> None:
    expected = logits(model, BATCH).log_softmax(-1).split([len(row) for row in TARGETS])
    with torch.no_grad():
        memory, state = model.start(BATCH.source, BATCH.source_mask)
        for time in range(BATCH.target.shape[1] - 1):
            step, state = model.step(BATCH.target[:, time, None], state, memory)
            for row, wanted in enumerate(expected):
                if time < len(wanted):
                    torch.testing.assert_close(step[row, 0], wanted[time].float(), atol=1e-5, rtol=1e-4)


def test_a_sentence_scores_the_same_alone_padded_and_in_another_order(model: Model) -> None:
    together = logits(model, BATCH).split([len(row) for row in TARGETS])
    for order in ([2, 0, 1], [1], [0, 2]):
        batch = toy_batch([SOURCES[row] for row in order], [TARGETS[row] for row in order])
        parts = logits(model, batch).split([len(TARGETS[row]) for row in order])
        for row, part in zip(order, parts, strict=True):
            torch.testing.assert_close(part, together[row], atol=1e-5, rtol=1e-4)


def test_hypotheses_of_one_sentence_do_not_see_each_other(model: Model) -> None:
    with torch.no_grad():
        memory, state = model.start(BATCH.source, BATCH.source_mask)
        wide = map_state(lambda tensor: tensor.repeat_interleave(2, dim=1), state)
        first = torch.tensor([[4, 9], [5, 8], [6, 7]])
        together, after = model.step(first, wide, memory)
        for beam in range(2):
            alone, _ = model.step(first[:, beam, None], state, memory)
            torch.testing.assert_close(together[:, beam, None], alone, atol=1e-5, rtol=1e-4)
    assert all(tensor.shape[:2] == (3, 2) for tensor in tensors(after))


def test_rows_selected_in_mid_search_go_on_alike(model: Model) -> None:
    with torch.no_grad():
        memory, state = model.start(BATCH.source, BATCH.source_mask)
        _, state = model.step(BATCH.target[:, :1], state, memory)
        expected, _ = model.step(BATCH.target[:, 1:2], state, memory)
        rows = torch.tensor([2, 0])
        chosen, _ = model.step(BATCH.target[rows, 1:2], select(state, rows), select(memory, rows))
    torch.testing.assert_close(chosen, expected[rows], atol=1e-5, rtol=1e-4)


def test_every_parameter_learns(model: Model) -> None:
    model.zero_grad()
    model.logits(model(BATCH)).square().sum().backward()
    idle = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    if any(isinstance(module, Uniform) for module in model.modules()):  # it never looks at its query
        idle = [name for name in idle if "attend.sublayer.norm" not in name]
    assert idle == []


def test_the_state_and_the_source_matter(model: Model) -> None:
    """A law about order is empty on a network that has no memory."""
    base = logits(model, toy_batch([[4, 6, 7]], [[4, 8, 7]]))
    assert not torch.allclose(base[-1], logits(model, toy_batch([[4, 6, 7]], [[4, 9, 7]]))[-1], atol=1e-4)
    assert not torch.allclose(base, logits(model, toy_batch([[4, 7, 6]], [[4, 8, 7]])), atol=1e-4)


def test_reverse_turns_each_sequence_within_its_length_and_is_its_own_inverse() -> None:
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]]).bool()
    order = reversed_order(mask)
    assert order.tolist() == [[2, 1, 0, 3], [3, 2, 1, 0], [0, 1, 2, 3]]
    x = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.equal(reverse(reverse(x, order), order), x)
    assert torch.autograd.gradcheck(lambda x: reverse(x, order), (x,))


def test_dropout_acts_in_training_only() -> None:
    model = toy_model(dropout=0.5)
    assert torch.equal(logits(model, BATCH), logits(model, BATCH))
    model.train()
    assert not torch.equal(logits(model, BATCH), logits(model, BATCH))


@pytest.mark.parametrize(("tying", "tables"), [("all", 1), ("target", 2), ("none", 3)])
def test_tying_shares_tables(tying: str, tables: int) -> None:
    config = composed()
    config.model.tying = tying
    sizes = {"source_vocabulary": VOCABULARY, "target_vocabulary": VOCABULARY}
    model = build(OmegaConf.to_container(config.model, resolve=True), sizes)
    assert sum(parameter.shape == (VOCABULARY, 256) for parameter in model.parameters()) == tables


def test_tying_all_needs_one_vocabulary() -> None:
    node = OmegaConf.to_container(composed().model, resolve=True)
    with pytest.raises(ConfigError, match=r"tokenizer.joint=true"):
        build(node, {"source_vocabulary": 5, "target_vocabulary": 6})


@pytest.mark.parametrize("bad", [("encoder", "layers", 0), ("decoder", "layers", -1), ("encoder", "feed_forward", -2)])
def test_impossible_sizes_are_named(bad: tuple[str, str, int]) -> None:
    part, key, value = bad
    config = composed()
    config[part][key] = value
    with pytest.raises(ConfigError, match=f"{part}.{key}: expected"):
        build(OmegaConf.to_container(config.model, resolve=True), {"source_vocabulary": 5, "target_vocabulary": 5})
