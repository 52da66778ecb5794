"""How much of a source line attention looked at while its translation was written; what is left out may be missing.

Asked of rather short translations alone, as length tells most. On Multi30k (en-de, one model): of references without
one clause .62 are known where length alone knows .42, of those without two words of five .43 and .13, of lines whose
second sentence the model dropped .68 and .60; of whole references .007 and .003 are taken for incomplete.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.data.dataset.balanced_sample import balanced_sample
from seq2seq.data.dataset.store import Store
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.network.alignment import TeacherForcing
from seq2seq.network.model import Model
from seq2seq.translation.checks.length import Lengths
from seq2seq.translation.details import Pair, batches

SAMPLE = 500  # lines of each language and side that are read
LEAST = 0.005  # of training's translations leave more of their source unattended


def attended(weights: Float[Tensor, "target source"]) -> float:
    """From 0 to 1: what a source piece was looked at in sum, at most 1 each, on average over the pieces.

    The root makes one piece that nobody looked at count more than several that were looked at a little.
    """
    return float(weights.sum(0).clamp(max=1).sqrt().mean())


@torch.inference_mode()
def attention_shares(forcing: TeacherForcing, pairs: Sequence[Pair], tag: int, device: torch.device) -> list[float]:
    """`attended` of each pair, in the order given; of a network some attention of which looks at words."""
    shares = [0.0] * len(pairs)
    for rows, batch in batches(pairs, tag, device):
        looked = forcing.looked(batch).cpu()
        for place, row in enumerate(rows):
            pair = pairs[row]
            shares[row] = attended(looked[place, : len(pair.target) + pair.finished, 1 : 1 + len(pair.source)])
    return shares


def with_attention(
    lengths: Mapping[tuple[str, str], Lengths], network: Model, store: Store, tokenizer: Tokenizer
) -> dict[tuple[str, str], Lengths]:
    """What is usual, with what this network usually looks at in its training text, where it has such an attention."""
    rows = balanced_sample(store, SAMPLE)
    rows = rows[store.lengths(rows)[0] > 0]  # text of a language by itself has no source
    targets = store.language_numbers(rows)[1]
    was_training = network.training
    network.eval()
    try:
        forcing, device = TeacherForcing(network), network.output_weight.device
        forcing.check()
        shares: list[float] = []
        for number in np.unique(targets).tolist():
            sources, translations = store.ids(rows[targets == number])
            ids = zip(sources, translations, strict=True)
            pairs = [Pair(one.tolist(), other.tolist(), True) for one, other in ids]
            shares += attention_shares(forcing, pairs, tokenizer.tag_id(store.languages[number]), device)
    except ConfigError:
        return dict(lengths)
    finally:
        network.train(was_training)
    if not shares:
        return dict(lengths)
    least = round(float(np.quantile(shares, LEAST, method="inverted_cdf")), 4)
    return {direction: one._replace(attended=least) for direction, one in lengths.items()}
