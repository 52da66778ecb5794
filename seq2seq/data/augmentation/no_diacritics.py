"""Letters without their accents."""

import unicodedata
from random import Random

from seq2seq.data.augmentation.base import SourceNoise

ALPHABETS = ("LATIN", "GREEK")  # elsewhere a mark makes another letter, as in й, が or हि, and is not left out
OTHERS = str.maketrans(
    {"ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
    | {"ı": "i", "ħ": "h", "Ħ": "H", "ё": "е", "Ё": "Е"}
)


class NoDiacritics(SourceNoise):
    """`Žluťoučký kůň` becomes `Zlutoucky kun`, as typed on a keyboard without these letters."""

    growth = 1.6

    def changed(self, text: str, random: Random) -> str:
        return "".join(map(_bare, unicodedata.normalize("NFC", text))).translate(OTHERS)


def _bare(character: str) -> str:
    parts = unicodedata.normalize("NFD", character)
    if len(parts) == 1 or not unicodedata.name(parts[0], "").startswith(ALPHABETS):
        return character
    return "".join(part for part in parts if not unicodedata.combining(part))
