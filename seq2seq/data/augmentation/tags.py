"""Tags and placeholders that a translation carries over."""

from collections.abc import Sequence
from random import Random

from seq2seq.data.augmentation.base import Noise
from seq2seq.data.corpus.base import Pair

AROUND = (("<b>", "</b>"), ("<i>", "</i>"), ("<p>", "</p>"), ("**", "**"), ("[", "]"))
BESIDE = ("{0}", "{name}", "%s", "%d", "$1", "<br/>", "&amp;", "[1]")


class Tags(Noise):
    """`A dog.` and `Ein Hund.` become `<b>A dog.</b>` and `<b>Ein Hund.</b>`, or get a placeholder at one end.

    Translators remove most of them before the model reads a line (translator.passthrough), so few training pairs need
    them.
    """

    growth = target_growth = 1.5

    def __call__(self, pairs: Sequence[Pair], random: Random) -> Pair:
        [pair] = pairs
        where = int(random.random() * 3)
        if where == 0:
            before, behind = AROUND[int(random.random() * len(AROUND))]
        else:
            word = BESIDE[int(random.random() * len(BESIDE))]
            before, behind = (f"{word} ", "") if where == 1 else ("", f" {word}")
        return pair._replace(source=f"{before}{pair.source}{behind}", target=f"{before}{pair.target}{behind}")
