"""Title Case."""

import re
from random import Random

from seq2seq.data.augmentation.base import SourceNoise

FIRST = re.compile(r"(?<!\S)([^\w\s]*)(\w)")  # of a word, after quotes or brackets


class Title(SourceNoise):
    """`Two dogs don't play.` becomes `Two Dogs Don't Play.`"""

    growth = 2.0
    cased = False

    def changed(self, text: str, random: Random) -> str:
        return FIRST.sub(lambda match: match[1] + match[2].upper(), text)
