"""CAPITALS."""

from random import Random

from seq2seq.data.augmentation.base import SourceNoise


class Upper(SourceNoise):
    """`Two dogs.` becomes `TWO DOGS.`; the target is unchanged."""

    growth = 4.0  # most words are spelt in single letters then
    cased = False

    def changed(self, text: str, random: Random) -> str:
        return text.upper()
