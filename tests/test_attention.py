"""Laws that every attention obeys."""

import pytest
import torch
from toy_network import member, members

from seq2seq.errors import ConfigError
from seq2seq.network.attention.base import Attention
from seq2seq.network.attention.dot import Dot
from seq2seq.network.attention.multihead import Multihead

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


def test_queries_one_by_one_equal_all_at_once(attention: Attention) -> None:
    memory, query = torch.randn(BATCH, SOURCE, SIZE), torch.randn(BATCH, TARGET, SIZE)
    keys = attention.keys(memory)
    context, _ = attention(query, keys, MASK)
    single = [attention(query[:, at : at + 1], keys, MASK)[0] for at in range(TARGET)]
    torch.testing.assert_close(torch.cat(single, dim=1), context)


def test_dot_finds_the_memory_that_looks_like_the_query() -> None:
    memory = torch.eye(SIZE).unsqueeze(0) * 20
    context, weights = Dot(SIZE, SIZE)(memory[:, 3:4], memory, torch.ones(1, SIZE, dtype=torch.bool))
    assert weights[0, 0].argmax() == 3
    torch.testing.assert_close(context[0, 0], memory[0, 3])


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
    with pytest.raises(ConfigError, match="attention=general"):
        Dot(SIZE, SIZE + 1)
