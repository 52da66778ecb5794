"""A model whose output layer knows a few hundred pieces of the vocabulary, partly others for each sentence."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from seq2seq.network.inference.packed import BFloat16, Float32, Packed
from seq2seq.network.model import Model
from seq2seq.network.state import State

HELD = 0.75  # share of the held sentences that are still searched below which the others' matrices are given up


class Columns(NamedTuple):
    """An output layer in the number format of its products: `table` and `bias` of all pieces, and the `common` ones."""

    table: Float[Tensor, "vocabulary embedding"]
    bias: Float[Tensor, " vocabulary"]
    common: Int[Tensor, " common"]
    weight: Float[Tensor, "common embedding"]
    common_bias: Float[Tensor, " common"]


def columns(model: Model, common: Int[Tensor, " common"], dtype: torch.dtype) -> Columns:
    """Those of a model, whose output layer may be packed, and even be int8: here it is in `dtype`."""
    with torch._C.DisableTorchFunctionSubclass():
        table, bias = model.output_weight.detach().to(dtype), model.output_bias.detach().float()
        rows = table.index_select(0, common)
    if isinstance(model.output_weight, Packed):
        rows = Packed.of(rows, BFloat16(rows) if dtype == torch.bfloat16 else Float32(rows))
    return Columns(table, bias, common, rows, bias[common])


class Shortlisted:
    """`start` and `step` of one batch over positions in its sentences' shortlists.

    A sentence's list is the common pieces, whose product all sentences share, and `own[sentence, :]`, of which the
    first `counts[sentence]` are pieces and the rest fillers; these have a matrix for each sentence. Log-probabilities
    (fp32) are normalised over a list's pieces, so that neighbours change nothing; fillers have -inf. One matrix of the
    union of all lists would hold a third to most of the vocabulary.
    """

    def __init__(
        self, model: Model, layer: Columns, own: Int[Tensor, "batch places"], counts: Int[Tensor, " batch"]
    ) -> None:
        self.model = model
        self.layer = layer
        self.own = own
        self.ids = torch.cat([layer.common.expand(len(own), -1), own], 1)
        filler = torch.arange(own.shape[1], device=own.device) >= counts.unsqueeze(1)
        self.bias = layer.bias[own].masked_fill_(filler, float("-inf")).unsqueeze(1)
        self._hold(torch.arange(len(own), device=own.device))

    def start(self, source: Int[Tensor, "batch source"], mask: Bool[Tensor, "batch source"]) -> tuple[State, State]:
        """The model's own, with the numbers of the sentences in the memory."""
        memory, state = self.model.start(source, mask)
        return (memory, torch.arange(len(source), device=source.device).unsqueeze(1)), state

    def step(
        self, tokens: Int[Tensor, "batch beam"], state: State, memory: State
    ) -> tuple[Float[Tensor, "batch beam places"], State]:
        """Log-probabilities of every place; `tokens` are places too."""
        inner, numbers = memory
        features, state = self.model.features(self.ids[numbers.expand_as(tokens), tokens], state, inner)
        common = F.linear(features, self.layer.weight, self.layer.common_bias.to(features.dtype))
        own = self._own_logits(features.to(self.rows.dtype), numbers.squeeze(1))
        return torch.cat([common, own], -1).float().log_softmax(-1), state

    def _own_logits(
        self, features: Float[Tensor, "batch beam embedding"], sentences: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch beam places"]:
        """For each sentence's hypotheses with its own matrix; no sentence occurs twice."""
        if len(sentences) < HELD * len(self.held):
            self._hold(sentences)
        if torch.equal(sentences, self.held):
            return torch.bmm(features, self.rows) + self.held_bias
        places = self.place[sentences]
        spread = features.new_zeros(len(self.held), *features.shape[1:]).index_copy_(0, places, features)
        return (torch.bmm(spread, self.rows) + self.held_bias).index_select(0, places)

    def _hold(self, sentences: Int[Tensor, " held"]) -> None:
        """Keeps the matrices of these sentences only; finished sentences do not come back."""
        self.held = sentences
        self.place = torch.zeros(len(self.own), dtype=torch.long, device=sentences.device)
        self.place[sentences] = torch.arange(len(sentences), device=sentences.device)
        self.held_bias = self.bias[sentences]
        ids = self.own[sentences]
        rows = self.layer.table.index_select(0, ids.flatten()).view(*ids.shape, self.layer.table.shape[1])
        self.rows = rows.transpose(1, 2)
