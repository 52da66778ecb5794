"""Laws that every attention obeys."""

import pytest
import torch
from toy_network import member, members

from seq2seq.errors import ConfigError
from seq2seq.network.attention.additive import Additive
from seq2seq.network.attention.base import Attention
from seq2seq.network.attention.concat import Concat
from seq2seq.network.attention.coverage import Coverage
from seq2seq.network.attention.dot import Dot
from seq2seq.network.attention.last import LastPosition
from seq2seq.network.attention.local_p import LocalPredictive
from seq2seq.network.attention.multihead import Multihead
from seq2seq.network.state import map_state

BATCH, TARGET, SOURCE, SIZE = 3, 4, 5, 8
MASK = torch.arange(SOURCE) < torch.tensor([[5], [2], [4]])


@pytest.fixture(params=members("attention"))
def attention(request: pytest.FixtureRequest) -> Attention:
    torch.manual_seed(0)
    made: Attention = member("attention", request.param)(SIZE, SIZE)
    return made


def test_weights_sum_to_one_and_padding_gets_nothing(attention: Attention) -> None:
    memory, query = torch.randn(BATCH, SOURCE, SIZE), torch.randn(BATCH, TARGET, SIZE)
    context, weights = attention(query, attention.keys(memory), MASK)
    torch.testing.assert_close(weights.sum(-1), torch.ones(BATCH, TARGET))
    assert not weights.masked_select(~MASK.unsqueeze(1)).any()
    assert context.shape == (BATCH, TARGET, attention.context_size)


def test_padding_and_neighbours_change_nothing(attention: Attention) -> None:
    memory, query = torch.randn(BATCH, SOURCE, SIZE), torch.randn(BATCH, TARGET, SIZE)
    context, weights = attention(query, attention.keys(memory), MASK)
    alone, alone_weights = attention(query[1:2], attention.keys(memory[1:2, :2]), MASK[1:2, :2])
    torch.testing.assert_close(context[1:2], alone)
    torch.testing.assert_close(weights[1:2, :, :2], alone_weights)


def test_forward_equals_repeated_step(attention: Attention) -> None:
    memory, query = torch.randn(BATCH, SOURCE, SIZE), torch.randn(BATCH, TARGET, SIZE)
    keys, past = attention.keys(memory), attention.start(MASK)
    contexts, weights = attention(query, keys, MASK)
    for at in range(TARGET):
        context, weight, past = attention.step(query[:, at : at + 1], keys, MASK, past)
        torch.testing.assert_close(context, contexts[:, at : at + 1])
        torch.testing.assert_close(weight, weights[:, at : at + 1])


def test_hypotheses_have_pasts_of_their_own(attention: Attention) -> None:
    """Two hypotheses side by side in two steps equal each by itself."""
    memory, query = torch.randn(BATCH, SOURCE, SIZE), torch.randn(BATCH, 2, 2, SIZE) * 3  # batch time beam query
    keys = attention.keys(memory)

    def run(queries: torch.Tensor) -> torch.Tensor:
        past = map_state(lambda tensor: tensor.repeat_interleave(queries.shape[2], 1), attention.start(MASK))
        _, _, past = attention.step(queries[:, 0], keys, MASK, past)
        return attention.step(queries[:, 1], keys, MASK, past)[0]

    torch.testing.assert_close(run(query), torch.cat([run(query[:, :, :1]), run(query[:, :, 1:])], dim=1))


def test_dot_finds_the_memory_that_looks_like_the_query() -> None:
    memory = torch.eye(SIZE).unsqueeze(0) * 20
    context, weights = Dot(SIZE, SIZE)(memory[:, 3:4], (memory, memory), torch.ones(1, SIZE, dtype=torch.bool))
    assert weights[0, 0].argmax() == 3
    torch.testing.assert_close(context[0, 0], memory[0, 3])


def test_concat_is_additive_attention_without_its_bias() -> None:
    ours, theirs = Concat(SIZE, SIZE), Additive(SIZE, SIZE, hidden_size=SIZE)
    with torch.no_grad():
        theirs.query.weight.copy_(ours.weight[:, :SIZE])
        theirs.memory.weight.copy_(ours.weight[:, SIZE:])
        theirs.score.weight.copy_(ours.score.weight)
    memory, query = torch.randn(BATCH, SOURCE, SIZE), torch.randn(BATCH, TARGET, SIZE)
    torch.testing.assert_close(ours(query, ours.keys(memory), MASK), theirs(query, theirs.keys(memory), MASK))


def test_local_attention_is_the_papers_up_to_the_sum_of_weights() -> None:
    """Equation 10 within the window, each row divided by its sum."""
    attention = LocalPredictive(SIZE, SIZE, window=2)
    memory, query = torch.randn(BATCH, 9, SIZE), torch.randn(BATCH, TARGET, SIZE) * 3
    mask = torch.arange(9) < torch.tensor([[9], [7], [1]])
    scores = query @ attention.weight(memory).transpose(1, 2)
    share = torch.sigmoid(attention.position(torch.tanh(attention.hidden(query))))
    distance = torch.arange(9) - share * mask.sum(1)[:, None, None]
    wanted = scores.exp() * (-distance.square() / (2 * 1.0**2)).exp() * (distance.abs() <= 2) * mask[:, None]
    weights = attention(query, attention.keys(memory), mask)[1]
    torch.testing.assert_close(weights, wanted / wanted.sum(-1, keepdim=True))
    assert (weights > 0).sum(-1).max() <= 5


def test_coverage_counts_what_was_looked_at() -> None:
    attention = Coverage(SIZE, SIZE, hidden_size=SIZE)
    memory, query = torch.randn(BATCH, SOURCE, SIZE), torch.randn(BATCH, 1, SIZE)
    keys, past = attention.keys(memory), attention.start(MASK)
    _, first, past = attention.step(query, keys, MASK, past)
    _, second, past = attention.step(query, keys, MASK, past)
    torch.testing.assert_close(past, first + second)
    assert not torch.allclose(first, second)


def test_the_last_position_is_the_last_real_one() -> None:
    memory = torch.randn(BATCH, SOURCE, SIZE)
    context, _ = LastPosition(SIZE, SIZE)(torch.randn(BATCH, 1, SIZE), (memory, memory), MASK)
    torch.testing.assert_close(context.squeeze(1), torch.stack([memory[0, 4], memory[1, 1], memory[2, 3]]))


def test_one_head_is_torch_scaled_dot_product() -> None:
    attention = Multihead(SIZE, SIZE, heads=2)
    memory, query = torch.randn(BATCH, SOURCE, SIZE), torch.randn(BATCH, TARGET, SIZE)
    key, value = attention.keys(memory)
    split = attention.query(query).unflatten(-1, (2, -1)).transpose(1, 2)
    theirs = torch.nn.functional.scaled_dot_product_attention(split, key, value, attn_mask=MASK[:, None, None])
    torch.testing.assert_close(attention(query, (key, value), MASK)[0], theirs.transpose(1, 2).flatten(2))


def test_sizes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ConfigError, match=r"attention.heads: expected a divisor of the query size 8, got 3"):
        Multihead(SIZE, SIZE, heads=3)
    with pytest.raises(ConfigError, match=r"attention.window: expected a positive"):
        LocalPredictive(SIZE, SIZE, window=0)
    with pytest.raises(ConfigError, match="attention=general"):
        Dot(SIZE, SIZE + 1)
