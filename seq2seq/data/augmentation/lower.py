"""Small letters only."""

from random import Random

from seq2seq.data.augmentation.base import SourceNoise


class Lower(SourceNoise):
    """`Two dogs in Paris.` becomes `two dogs in paris.`"""

    growth = 1.1

    def changed(self, text: str, random: Random) -> str:
        return text.lower()
