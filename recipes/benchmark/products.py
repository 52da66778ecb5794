"""How many floating-point operations a network's products of matrices are, whatever its parts: counted, not derived.

A network's products on one sentence grow with its source tokens S, its target tokens T and, through attention, with
S T. Four small sentences therefore tell the count of any other.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from seq2seq.data.dataset.store import Store
from seq2seq.data.loader.batch import Batch
from seq2seq.network.cell.base import Cell
from seq2seq.network.cell.recurrence import Fused
from seq2seq.network.model import Model

TRAINING = 3  # forward and backward, as multiples of forward: a product has two gradients, each a product of its size


class Products(NamedTuple):
    """Floating-point operations of a forward pass: `sentence + source S + target T + pair S T`."""

    sentence: float
    source: float
    target: float
    pair: float

    def forward(self, source: float, target: float, pairs: float) -> float:
        """Of a sentence of `source` and `target` tokens; `pairs` is their product (of means: the mean product)."""
        return self.sentence + self.source * source + self.target * target + self.pair * pairs


def products(model: Model) -> Products:
    """Those of a network, its output layer included; looking up embeddings is no product."""
    network = unfused(model).eval()
    least, source, target, both = (_counted(network, *lengths) for lengths in ((1, 1), (2, 1), (1, 2), (2, 2)))
    pair = both - source - target + least
    by_source, by_target = source - least - pair, target - least - pair
    return Products(least - by_source - by_target - pair, by_source, by_target, pair)


def training_per_token(model: Model, store: Store) -> float:
    """Operations of an update per target token of the store: real tokens only, forward and backward."""
    source, target = store.lengths(np.arange(len(store)))
    read, predicted = source + 2, target + 1  # tag and EOS; EOS
    count = products(model).forward(read.mean(), predicted.mean(), (read * predicted).mean())
    return float(TRAINING * count / predicted.mean())


def unfused(model: Model) -> Model:
    """The network with its cells' fused kernels taken apart into products that can be counted."""
    for module in model.modules():
        if isinstance(module, Fused):
            module.forward = partial(Cell.forward, module)  # type: ignore[method-assign]
    return model


def _counted(model: Model, source: int, target: int) -> int:
    """Of one sentence; nothing is padded."""
    ids, following = torch.zeros(1, source, dtype=torch.long), torch.zeros(1, target + 1, dtype=torch.long)
    batch = Batch(ids, ids == 0, following, following == 0, torch.zeros(1, dtype=torch.long))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.logits(model(batch))
    return int(counter.get_total_flops())
