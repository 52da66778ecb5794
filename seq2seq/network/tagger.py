"""Many to many of the same length: every token of a line gets one of some labels."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.data.loader.batch import Batch
from seq2seq.network.encoder import Encoder
from seq2seq.network.layers import Embedding, VariationalDropout
from seq2seq.network.recurrent import reverse, reversed_order

Piece = Literal["first", "mean"]


class Tagger(nn.Module):
    """Embeddings, encoder, one vector a token, output layer over `labels` labels.

    A learnt vector marks the first piece of each token, so that the network knows where tokens begin. `piece`: the
    pieces that represent a token, the `first` (Devlin et al. 2019, section 5.3; in a unidirectional encoder it has not
    read the others), or the `mean` of all. `dropout`: share of the features dropped in training.
    """

    def __init__(
        self,
        vocabulary: int,
        labels: int,
        embedding: int,
        width: int,
        word_dropout: float,
        embedding_dropout: float,
        piece: Piece,
        dropout: float,
        encoder: Callable[[int], Encoder],
    ) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary, embedding, width, word_dropout, embedding_dropout)
        self.begin = nn.Parameter(torch.randn(width) * width**-0.5)
        self.encoder = encoder(width)
        self.piece = piece
        self.dropout = VariationalDropout(dropout)
        self.output_weight = nn.Parameter(torch.randn(labels, width) * width**-0.5)
        self.output_bias = nn.Parameter(torch.zeros(labels))

    def forward(self, batch: Batch) -> Float[Tensor, "tokens width"]:
        """Features of each token's label, row by row; `target_mask[:, i + 1]` is true where piece i begins a token."""
        return self.read(batch.source, batch.source_mask, batch.target_mask[:, 1:])

    def read(
        self,
        source: Int[Tensor, "batch source"],
        mask: Bool[Tensor, "batch source"],
        starts: Bool[Tensor, "batch pieces"],
    ) -> Float[Tensor, "tokens width"]:
        """One vector a token; `starts` has a column less than `source`, whose last is for EOS."""
        x = self.embedding(source) + F.pad(starts, (0, 1)).unsqueeze(-1) * self.begin
        values = self.encoder(x, mask).values
        if self.encoder.reversed:  # the memory is in the order in which it was read
            values = reverse(values, reversed_order(mask))
        values = self.dropout(values)[:, :-1]
        if self.piece == "first":
            return values[starts]
        pieces = mask[:, 1:]  # all real positions but each row's EOS
        numbers = starts.flatten().cumsum(0)[pieces.flatten()] - 1  # of the token that a piece belongs to
        sums = values.new_zeros(int(starts.sum()), values.shape[-1]).index_add(0, numbers, values[pieces])
        return sums / numbers.bincount(minlength=len(sums)).unsqueeze(-1)

    def logits(self, features: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape labels"]:
        """Scores before the softmax."""
        return F.linear(features, self.output_weight, self.output_bias)
