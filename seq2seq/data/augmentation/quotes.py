"""Missing or other quotation marks and dashes."""

import re
from random import Random

from seq2seq.data.augmentation.base import SourceNoise

PAIRS = ('""', "''", "“”", "„“", "«»", "‘’", "「」")  # what opens and what closes
MARKS = "".join(sorted(set("".join(PAIRS) + "‚‹›『』")))
QUOTES = re.compile(rf"(?<!\w)[{MARKS}]|[{MARKS}](?!\w)")
APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
DASH = re.compile(r"(?<= )[-–—](?= )")


class Quotes(SourceNoise):
    """`He says "stop".` becomes `He says „stop“.` or `He says stop.`; apostrophes and dashes change too."""

    growth = 1.5

    def changed(self, text: str, random: Random) -> str:
        kind = int(random.random() * (len(PAIRS) + 1))
        pair = PAIRS[kind] if kind < len(PAIRS) else ""

        def mark(match: re.Match[str]) -> str:
            begins = match.start() == 0 or text[match.start() - 1].isspace() or text[match.start() - 1] in "([{"
            return pair[:1] if begins else pair[1:]

        result = QUOTES.sub(mark, text)
        result = APOSTROPHE.sub("'" if random.random() < 0.5 else "’", result)
        result = DASH.sub("-–—"[int(random.random() * 3)], result)
        return result if result.strip() else text
