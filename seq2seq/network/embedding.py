"""Ids to vectors of the model's width."""

from jaxtyping import Float, Int
from torch import Tensor, empty, nn
from torch.nn import functional as F

from seq2seq.network.dropout import VariationalDropout, WordDropout


def projection(width: int, embedding: int, tied: bool) -> nn.Module:
    """What stands between features of `width` and an output table of `embedding` numbers a word.

    A linear map wherever sizes differ or the table is also the embeddings' (Gulordava et al. 2018): residual sums carry
    the last word's embedding up to the table, and without a map between them every word is its own likeliest successor
    at the start.
    """
    return nn.Linear(width, embedding) if tied or width != embedding else nn.Identity()


class Embedding(nn.Module):
    """A table of `vocabulary` rows of `size` numbers, widened to `width` where that is another number.

    Rows start with deviation 1/sqrt(size) and are multiplied by sqrt(size) on the way in, so that a table that is tied
    to the output layer suits both of its uses.
    """

    def __init__(self, vocabulary: int, size: int, width: int, word_dropout: float, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.normal_(empty(vocabulary, size), std=size**-0.5))
        self.scale = size**0.5
        self.word_dropout = WordDropout(word_dropout)
        self.dropout = VariationalDropout(dropout)
        self.widen = nn.Linear(size, width) if size != width else nn.Identity()

    def forward(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time width"]:
        embedded = F.embedding(ids, self.weight) * self.scale
        widened: Tensor = self.widen(self.dropout(self.word_dropout(embedded)))
        return widened
