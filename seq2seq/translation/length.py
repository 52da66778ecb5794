"""How long the lines are that a model was trained on, so that longer ones are translated sentence by sentence."""

import numpy as np

from seq2seq.data.order import permuted
from seq2seq.data.store import Store

ROWS = 100_000  # looked at, at most
SHARE = 0.75  # of the lines are not longer


def usual_length(store: Store) -> int:
    """The tokens of a source line that 3 of 4 training pairs do not exceed, tag and EOS not counted."""
    count = min(len(store), ROWS)
    lengths, _ = store.lengths(np.sort(permuted(np.arange(count), len(store), seed=0, epoch=0)))
    return max(1, int(np.quantile(lengths, SHARE, method="inverted_cdf")))
