"""Decoders against the equations of their papers, written out position by position."""

from typing import cast

import pytest
import torch
from toy_network import toy_batch, toy_model

from seq2seq.network.decoder.conditional import Conditional
from seq2seq.network.decoder.parallel import Parallel
from seq2seq.network.encoder import Memory

BATCH = toy_batch([[4, 6, 7, 8], [4, 9]], [[4, 8, 7, 9], [5, 9, 6, 6]])
PLAIN = {"cell": "gru", "attention": "additive", "bridge": "mean", "sublayer": "plain"}


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("transitions", [1, 2])
@torch.no_grad()
def test_conditional(transitions: int) -> None:
    """A GRU's output is its state, so `s` is both."""
    settings = {"decoder.layers": 2, "decoder.transitions": transitions}
    model = toy_model(decoder="conditional", settings=settings, **PLAIN)
    decoder = cast(Conditional, model.decoder)
    memory: Memory = model.encoder(model.source(BATCH.source), BATCH.source_mask)
    words = model.target(BATCH.target[:, :-1])
    s, upper = decoder.bridge(memory)
    keys, cell, [above] = decoder.attention.keys(memory.values), decoder.cell, decoder.layers
    for position, y in enumerate(words.unbind(1)):
        if decoder.word:
            s, _ = decoder.word.step(y, s, decoder.word.dropout_masks(()))
        c = decoder.attention(s.unsqueeze(1), keys, memory.mask)[0].squeeze(1)
        s, _ = cell.step(y + decoder.found(c) if decoder.found else c, s, cell.dropout_masks(()))
        upper, _ = above.cell.step(torch.cat([s, c], dim=-1), upper, above.cell.dropout_masks(()))
        read = decoder.readout
        t = torch.tanh(read.state(upper) + read.word(y) + read.context(c))
        torch.testing.assert_close(decoder(words, memory)[:, position], t, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_shared_context() -> None:
    """GNMT's wiring: the lowest layer asks, the others read what it found."""
    model = toy_model(
        decoder="parallel",
        settings={"decoder.layers": 3, "decoder.attend": "shared", "decoder.feed_forward": 0},
        **PLAIN,
    )
    decoder = cast(Parallel, model.decoder)
    memory: Memory = model.encoder(model.source(BATCH.source), BATCH.source_mask)
    words = model.target(BATCH.target[:, :-1])
    lowest, *others = (layer.recurrent.cell for layer in decoder.layers)
    first, *states = decoder.bridge(memory)
    x, _ = lowest(words, None, first)
    assert decoder.shared
    attention = decoder.shared.attention
    c, _ = attention(x, attention.keys(memory.values), memory.mask)
    for cell, state in zip(others, states, strict=True):
        x, _ = cell(torch.cat([x, c], dim=-1), None, state)
    torch.testing.assert_close(decoder(words, memory), x, atol=1e-5, rtol=1e-4)
