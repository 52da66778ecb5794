"""A recurrent language model (Mikolov et al. 2010): the probability of each token, given all tokens before it."""

from collections.abc import Callable
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.network.cell.base import Cell
from seq2seq.network.layers import Embedding, projection
from seq2seq.network.recurrent import Recurrent
from seq2seq.network.state import State, map_state
from seq2seq.network.sublayer import FeedForward, Sublayer


class LanguageModel(nn.Module):
    """Embeddings, layers of [recurrence][feed-forward] from left to right, output layer.

        p(token t | tokens before) = softmax(W features_t + b)

    `feed_forward` is how many times as wide that block is inside, 0 for none. `tied`: one table for input and output
    (Press & Wolf 2017). A state is a tuple of the layers' states.
    """

    def __init__(
        self,
        vocabulary: int,
        embedding: int,
        width: int,
        layers: int,
        feed_forward: int,
        tied: bool,
        word_dropout: float,
        embedding_dropout: float,
        cell: Callable[[int, int], Cell],
        sublayer: Callable[[int], Sublayer],
    ) -> None:
        super().__init__()
        for name, value in (("embedding", embedding), ("width", width), ("layers", layers)):
            if value < 1:
                raise ConfigError(f"model.{name}: expected a positive int, got {value}")
        if feed_forward < 0:
            raise ConfigError(
                f"model.feed_forward: expected 0 (no block) or how many times as wide, got {feed_forward}"
            )
        self.embedding = Embedding(vocabulary, embedding, width, word_dropout, embedding_dropout)
        self.layers = nn.ModuleList(
            _Layer(width, feed_forward, cell, sublayer, number) for number in range(1, layers + 1)
        )
        self.closing = sublayer(width).final_norm()
        self.projection = projection(width, embedding, tied)
        self.output_weight = (
            self.embedding.weight if tied else nn.Parameter(torch.randn(vocabulary, embedding) * embedding**-0.5)
        )
        self.output_bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, batch: Batch) -> Float[Tensor, "tokens embedding"]:
        """Features of real target tokens only: row i predicts `batch.target[:, 1:][batch.target_mask[:, 1:]][i]`.

        Every row is read by itself, from an initial state; the source is not looked at.
        """
        features, _ = self.read(batch.target[:, :-1], None, self.initial_state(len(batch.target)))
        real = batch.target_mask[:, 1:].flatten().nonzero().squeeze(1)
        return features.flatten(0, 1).index_select(0, real)

    def initial_state(self, batch: int) -> State:
        """Before the first token of each of `batch` rows."""
        return tuple(layer.recurrent.cell.initial_state((batch,)) for layer in self._stack)

    def read(
        self, tokens: Int[Tensor, "batch time"], mask: Bool[Tensor, "batch time"] | None, state: State
    ) -> tuple[Float[Tensor, "batch time embedding"], State]:
        """Features of the token after each of `tokens`, and the state after the last, from which reading continues.

        The state does not change where `mask` is false; None: no row is padded, or the state is not used.
        """
        x = self.embedding(tokens)
        following = []
        for layer, layer_state in zip(self._stack, state, strict=True):
            x, layer_state = layer(x, mask, layer_state)
            following.append(layer_state)
        narrowed: Tensor = self.projection(self.closing(x))
        return narrowed, tuple(following)

    def logits(self, features: Float[Tensor, "*shape embedding"]) -> Float[Tensor, "*shape vocabulary"]:
        """Scores before the softmax."""
        return F.linear(features, self.output_weight, self.output_bias)

    def start(self, source: Int[Tensor, "batch source"], mask: Bool[Tensor, "batch source"]) -> tuple[State, State]:
        """`(memory, state)` of a search that continues after the tokens `source`, which may be empty.

        The memory is empty: the past is in the state, whose tensors are `[batch, 1, ...]`.
        """
        state = self.initial_state(len(source))
        if source.shape[1]:
            _, state = self.read(source, mask, state)
        return (), map_state(lambda tensor: tensor.unsqueeze(1), state)

    def step(
        self, tokens: Int[Tensor, "batch beam"], state: State, memory: State
    ) -> tuple[Float[Tensor, "batch beam vocabulary"], State]:
        """Log-probabilities (fp32) of the next token of every hypothesis."""
        x = self.embedding(tokens)
        following = []
        for layer, layer_state in zip(self._stack, state, strict=True):
            x, layer_state = layer.step(x, layer_state)
            following.append(layer_state)
        return self.logits(self.projection(self.closing(x))).float().log_softmax(-1), tuple(following)

    @property
    def _stack(self) -> "list[_Layer]":
        return cast("list[_Layer]", list(self.layers))


class _Layer(nn.Module):
    def __init__(
        self,
        width: int,
        feed_forward: int,
        cell: Callable[[int, int], Cell],
        sublayer: Callable[[int], Sublayer],
        number: int,
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(width, cell, sublayer, number)
        self.feed_forward = FeedForward(width, feed_forward * width, sublayer) if feed_forward else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None, state: State) -> tuple[Tensor, State]:
        x, state = self.recurrent(x, state, mask)
        return self.feed_forward(x), state

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        x, state = self.recurrent.step(x, state, self.recurrent.cell.dropout_masks(x.shape[:2]))
        return self.feed_forward(x), state
