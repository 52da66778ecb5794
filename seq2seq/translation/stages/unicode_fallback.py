"""Replaces characters without a piece by equivalent ones that have pieces.

Otherwise they would be copied word by word, and words with `’`, a decomposed `é` or a `fi` ligature would be lost.
"""

import re
import unicodedata
from collections.abc import Set

from seq2seq.data.tokenizer.canonical import TracedText

INVISIBLE = re.compile("[\u00ad\u061c\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
JOINERS = re.compile("(?<![^\\s\\w])\u200d+")  # but for those inside of emoji
SPACE = "\u200b"  # between words that touch each other
CHANGING = frozenset({"<super>", "<sub>", "<circle>", "<square>", "<fraction>"})
SPACES = re.compile(SPACE)
WORD, CHARACTER = re.compile(r"\S+"), re.compile(r"\S")
PLAIN = str.maketrans(
    {**dict.fromkeys("‘’‚‛´`ʼ′", "'"), **dict.fromkeys("“”„‟«»″", '"'), **dict.fromkeys("‐‑‒–—―−", "-"), "…": "..."}
    | {**dict.fromkeys("۔।॥。｡።։។᙮᠃᠉", "."), **dict.fromkeys("؟፧", "?"), **dict.fromkeys("،、፣", ","), "؛": ";"}
)


def unicode_fallback(text: str, known: Set[str]) -> str:
    """The text without invisible marks; unknown characters in a known form, if they have one.

    In this order: composed (NFC), ASCII quotes, dashes and stops, compatible (NFKC), the small letter of a capital:
    `ﬁne “½”` becomes `fine "½"`. Known characters and joiners in emoji are unchanged.
    """
    return traced_unicode_fallback(TracedText.given(text), known).text


def traced_unicode_fallback(text: TracedText, known: Set[str]) -> TracedText:
    """The same for a text that is traced."""
    if known >= set(text.text):
        return text
    text = text.composed().sub(INVISIBLE, lambda match: match[0] if match[0] in known else "")
    if SPACE not in known:
        text = text.sub(SPACES, lambda match: " ")
    if "\u200d" not in known:
        text = text.sub(JOINERS, lambda match: "")
    text = text.sub(WORD, lambda match: _cased(match[0], known))
    return text.sub(CHARACTER, lambda match: match[0] if match[0] in known else _other(match[0], known))


def _cased(word: str, known: Set[str]) -> str:
    """A word, of which all letters are small where only the small form of one of them is known."""
    if word.islower() or not any(one not in known and one.lower() in known for one in word):
        return word
    small = word.lower()  # of a whole word, for a sigma at its end
    return small if known >= set(small) else "".join(_small(one, known) for one in word)


def _small(character: str, known: Set[str]) -> str:
    return character.lower() if known >= set(character.lower()) else character


def _other(character: str, known: Set[str]) -> str:
    """What else a character is written as, but for what would then mean something else: x² is not x2."""
    kind = unicodedata.decomposition(character).partition(" ")[0]
    compatible = character if kind in CHANGING else unicodedata.normalize("NFKC", character)
    others = character.translate(PLAIN), compatible, character.lower()
    return next((other for other in others if known >= set(other) and " " not in other), character)
