"""The whole network: embeddings, encoder, decoder, output layer; `forward` to train, `start` and `step` to search."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.network.decoder.base import Decoder
from seq2seq.network.encoder import Encoder
from seq2seq.network.inference.projection_cache import ProjectionCache
from seq2seq.network.layers import Embedding, projection
from seq2seq.network.state import State, map_state


class Model(nn.Module):
    """An attentive encoder-decoder.

    `tying`: `none`; `target` shares the target embedding with the output layer; `all` shares the source embedding too
    (Press & Wolf 2017; needs one vocabulary).
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        embedding: int,
        width: int,
        tying: Literal["none", "target", "all"],
        word_dropout: float,
        embedding_dropout: float,
        encoder: Callable[[int], Encoder],
        decoder: Callable[[int, Sequence[State]], Decoder],
    ) -> None:
        super().__init__()
        if min(embedding, width) < 1:
            raise ConfigError(f"model: expected positive embedding and width, got {embedding} and {width}")
        if tying == "all" and source_vocabulary != target_vocabulary:
            raise ConfigError(
                "model.tying: `all` needs a joint tokenizer, got one per side: "
                "use model.tying=target or tokenizer.joint=true"
            )
        self.source = Embedding(source_vocabulary, embedding, width, word_dropout, embedding_dropout)
        self.target = Embedding(target_vocabulary, embedding, width, word_dropout, embedding_dropout)
        if tying == "all":
            self.target.weight = self.source.weight
        self.encoder = encoder(width)
        self.decoder = decoder(width, self.encoder.initial_states(1))
        self.projection = projection(width, embedding, tying != "none")
        self.output_weight = (
            self.target.weight
            if tying != "none"
            else nn.Parameter(torch.randn(target_vocabulary, embedding) * embedding**-0.5)
        )
        self.output_bias = nn.Parameter(torch.zeros(target_vocabulary))
        self.source_table: ProjectionCache | None = None  # of words, once the weights are final,
        self.table: ProjectionCache | None = None  # and of those in translations

    def forward(self, batch: Batch) -> Float[Tensor, "tokens embedding"]:
        """Features of real target tokens only: row i predicts `batch.target[:, 1:][batch.target_mask[:, 1:]][i]`."""
        memory = self.encoder(self.source(batch.source), batch.source_mask, self.decoder.reads_last)
        features = self.decoder(self.target(batch.target[:, :-1]), memory)
        real = batch.target_mask[:, 1:].flatten().nonzero().squeeze(1)
        narrowed: Tensor = self.projection(features.flatten(0, 1).index_select(0, real))
        return narrowed

    def logits(self, features: Float[Tensor, "*shape embedding"]) -> Float[Tensor, "*shape vocabulary"]:
        """Scores before the softmax."""
        return F.linear(features, self.output_weight, self.output_bias)

    def start(self, source: Int[Tensor, "batch source"], mask: Bool[Tensor, "batch source"]) -> tuple[State, State]:
        """`(memory, state)` of search: memory tensors are `[batch, ...]`, state tensors `[batch, 1, ...]`."""
        read = self.encoder.read(self.source_words(source), mask, self.decoder.reads_last)
        # parts of a split tensor have gaps, for which a product would copy its matrix once a sentence, or at every step
        memory, state = (map_state(Tensor.contiguous, part) for part in self.decoder.start(read))
        return memory, state

    def step(
        self, tokens: Int[Tensor, "batch beam"], state: State, memory: State
    ) -> tuple[Float[Tensor, "batch beam vocabulary"], State]:
        """Log-probabilities (fp32) of the next token of every hypothesis."""
        features, state = self.features(tokens, state, memory)
        return self.logits(features).float().log_softmax(-1), state

    def features(
        self, tokens: Int[Tensor, "batch beam"], state: State, memory: State
    ) -> tuple[Float[Tensor, "batch beam embedding"], State]:
        """What the output layer reads after one token more of every hypothesis, and the state after it."""
        features, state = self.decoder.advance(self.words(tokens), state, memory)
        narrowed: Tensor = self.projection(features)
        return narrowed, state

    def source_words(self, source: Int[Tensor, "batch source"]) -> State:
        """The part of the encoder that depends on each token alone."""
        return self.source_table(source, self._source_words) if self.source_table else self._source_words(source)

    def words(self, tokens: Int[Tensor, "batch beam"]) -> State:
        """The part of the decoder that depends on each token alone."""
        return self.table(tokens, self._words) if self.table else self._words(tokens)

    def _source_words(self, source: Tensor) -> State:
        return self.encoder.project(self.source(source))

    def _words(self, tokens: Tensor) -> State:
        return self.decoder.project(self.target(tokens))
