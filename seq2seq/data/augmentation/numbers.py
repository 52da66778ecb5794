"""Other numbers, the same on both sides."""

import re
from collections.abc import Sequence
from random import Random

from seq2seq.data.augmentation.base import Noise
from seq2seq.data.corpus.base import Pair

# of two digits and more, as smaller ones decide about plurals; no part of a word, a decimal number, a date or a time
NUMBER = re.compile(r"(?<![\w.,:/%-])[0-9]{2,}(?!\w|[.,:/-][0-9])")


class Numbers(Noise):
    """`Bus 27 stops.` and `Bus 27 hält.` become `Bus 83 stops.` and `Bus 83 hält.`

    Only a number that occurs once on each side is exchanged, for one with as many digits.
    """

    growth = target_growth = 1.2

    def __call__(self, pairs: Sequence[Pair], random: Random) -> Pair:
        [pair] = pairs
        sources, targets = NUMBER.findall(pair.source), NUMBER.findall(pair.target)
        new = {
            number: "".join(str(int(random.random() * 10)) for _ in number[1:])
            for number in sources
            if sources.count(number) == targets.count(number) == 1
        }
        others = {number: str(1 + int(random.random() * 9)) + rest for number, rest in new.items()}

        def exchanged(match: re.Match[str]) -> str:
            return others.get(match[0], match[0])

        return pair._replace(source=NUMBER.sub(exchanged, pair.source), target=NUMBER.sub(exchanged, pair.target))
