"""Drops pairs with characters that belong to no text."""

import re
from dataclasses import dataclass

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.corpus.base import Pair

# C0 and C1 controls without the tab (NUL, VT, FF, CR, U+0085 ...), line and paragraph separators, a byte order mark
# inside a line, and the replacement character, a sign of a broken conversion.
CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffd]")


@dataclass(frozen=True)
class Control(Filter):
    """Drops a pair with a control character, an odd line separator or a replacement character on either side."""

    def keep(self, pair: Pair) -> bool:
        return CONTROL.search(pair.source) is None and CONTROL.search(pair.target) is None
