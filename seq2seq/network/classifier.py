"""Many to one: a line of text becomes one vector, and that one of some labels."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.data.loader.batch import Batch
from seq2seq.network.encoder import Encoder
from seq2seq.network.layers import Embedding, legal_rate

Pool = Literal["mean", "max", "last"]


class Classifier(nn.Module):
    """Embeddings, encoder, one pooled vector a line, output layer over `labels` labels.

    `pool`: what becomes of the memory.
        mean   its mean over the line's real positions
        max    the largest value of each feature (Collobert et al. 2011, section 3.2.2)
        last   its last position, where a rightward layer has read all of the line and a leftward one only its end
    `dropout` is the share of the pooled features dropped in training.
    """

    def __init__(
        self,
        vocabulary: int,
        labels: int,
        embedding: int,
        width: int,
        word_dropout: float,
        embedding_dropout: float,
        pool: Pool,
        dropout: float,
        encoder: Callable[[int], Encoder],
    ) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary, embedding, width, word_dropout, embedding_dropout)
        self.encoder = encoder(width)
        self.pool = pool
        self.dropout = nn.Dropout(legal_rate("model.dropout", dropout))
        self.output_weight = nn.Parameter(torch.randn(labels, width) * width**-0.5)
        self.output_bias = nn.Parameter(torch.zeros(labels))

    def forward(self, batch: Batch) -> Float[Tensor, "batch width"]:
        """Features of each line's label."""
        return self.read(batch.source, batch.source_mask)

    def read(
        self, source: Int[Tensor, "batch source"], mask: Bool[Tensor, "batch source"]
    ) -> Float[Tensor, "batch width"]:
        """One vector a line."""
        values = self.encoder(self.embedding(source), mask).values
        pooled: Tensor = self.dropout(pooled_over(values, mask, self.pool))
        return pooled

    def logits(self, features: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape labels"]:
        """Scores before the softmax."""
        return F.linear(features, self.output_weight, self.output_bias)


def pooled_over(
    values: Float[Tensor, "batch source width"], mask: Bool[Tensor, "batch source"], pool: Pool
) -> Float[Tensor, "batch width"]:
    """One vector a row, from its real positions, which come first; there is at least one."""
    real = mask.unsqueeze(-1)
    if pool == "max":
        return values.masked_fill(~real, float("-inf")).amax(1)
    if pool == "last":
        return values[torch.arange(len(values), device=values.device), mask.sum(1) - 1]
    return values.masked_fill(~real, 0).sum(1) / real.sum(1)
