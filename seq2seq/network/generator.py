"""One to many: a label, or a vector of numbers, becomes a line of text."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.network.decoder.base import Decoder
from seq2seq.network.encoder import Memory
from seq2seq.network.layers import Embedding, projection
from seq2seq.network.state import State


class Generator(nn.Module):
    """A memory of length one, made from what is asked for; any decoder over it; output layer.

        label      memory = E[label], a table of `conditions` labels
        numbers    memory = W x + b, x of `conditions` numbers (so begins a caption in Vinyals et al. 2015)

    A bridge that reads the encoder's last states finds the memory there, as the state of one layer. `tied`: one table
    for the decoder's input and output (Press & Wolf 2017).
    """

    def __init__(
        self,
        condition: Literal["label", "numbers"],
        conditions: int,
        vocabulary: int,
        embedding: int,
        width: int,
        tied: bool,
        word_dropout: float,
        embedding_dropout: float,
        decoder: Callable[[int, Sequence[State]], Decoder],
    ) -> None:
        super().__init__()
        if conditions < 1:
            raise ConfigError(f"model.conditions: expected a positive int, got {conditions}")
        self.target = Embedding(vocabulary, embedding, width, word_dropout, embedding_dropout)
        self.condition = _Label(conditions, width) if condition == "label" else _Numbers(conditions, width)
        self.decoder = decoder(width, (torch.zeros(1, width),))
        self.projection = projection(width, embedding, tied)
        self.output_weight = (
            self.target.weight if tied else nn.Parameter(torch.randn(vocabulary, embedding) * embedding**-0.5)
        )
        self.output_bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, batch: Batch) -> Float[Tensor, "tokens embedding"]:
        """Features of real target tokens only: row i predicts `batch.target[:, 1:][batch.target_mask[:, 1:]][i]`."""
        features = self.decoder(self.target(batch.target[:, :-1]), self.memory(batch.source))
        real = batch.target_mask[:, 1:].flatten().nonzero().squeeze(1)
        narrowed: Tensor = self.projection(features.flatten(0, 1).index_select(0, real))
        return narrowed

    def memory(self, source: Int[Tensor, "batch condition"]) -> Memory:
        """One position a row; `source` holds a label, or the 32 bits of each number."""
        values: Tensor = self.condition(source)
        mask = torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
        return Memory(values, mask, (values.squeeze(1),))

    def logits(self, features: Float[Tensor, "*shape embedding"]) -> Float[Tensor, "*shape vocabulary"]:
        """Scores before the softmax."""
        return F.linear(features, self.output_weight, self.output_bias)

    def start(
        self, source: Int[Tensor, "batch condition"], mask: Bool[Tensor, "batch condition"]
    ) -> tuple[State, State]:
        """`(memory, state)` of search: memory tensors are `[batch, ...]`, state tensors `[batch, 1, ...]`."""
        return self.decoder.start(self.memory(source))

    def step(
        self, tokens: Int[Tensor, "batch beam"], state: State, memory: State
    ) -> tuple[Float[Tensor, "batch beam vocabulary"], State]:
        """Log-probabilities (fp32) of the next token of every hypothesis."""
        features, state = self.decoder.step(self.target(tokens), state, memory)
        return self.logits(self.projection(features)).float().log_softmax(-1), state


class _Label(nn.Embedding):
    """`[batch, 1]` labels to `[batch, 1, width]`."""


class _Numbers(nn.Module):
    """`[batch, count]` bits of fp32 numbers to `[batch, 1, width]`."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(count, width)

    def forward(self, bits: Tensor) -> Tensor:
        numbers = bits.to(torch.int32).view(torch.float32)
        with torch.autocast(bits.device.type, enabled=False):  # bf16 would round 257 to 256
            projected: Tensor = self.project(numbers)
        return projected.unsqueeze(1)
