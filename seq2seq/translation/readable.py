"""Characters that a tokenizer has no piece for, replaced by such as mean the same where there are any.

What is left is copied word by word (unknown.py): `don’t`, a decomposed `é` or a `fi` ligature would lose their words.
"""

import re
import unicodedata
from collections.abc import Sequence, Set

INVISIBLE = re.compile("[\u00ad\u061c\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
JOINERS = re.compile("(?<![^\\s\\w])\u200d+")  # but for those inside of emoji
SPACE = "\u200b"  # between words that touch each other
CHANGING = frozenset({"<super>", "<sub>", "<circle>", "<square>", "<fraction>"})
WORD = re.compile(r"\S+")
PLAIN = str.maketrans(
    {**dict.fromkeys("‘’‚‛´`ʼ′", "'"), **dict.fromkeys("“”„‟«»″", '"'), **dict.fromkeys("‐‑‒–—―−", "-"), "…": "..."}
    | {**dict.fromkeys("۔।॥。｡።։។᙮᠃᠉", "."), **dict.fromkeys("؟፧", "?"), **dict.fromkeys("،、፣", ","), "؛": ";"}
)


def readable(text: str, known: Set[str]) -> str:
    """The text without marks that nobody sees, whose characters take a form that is known, if they have one.

    That is their composed form (NFC), that of quotes, dashes and stops in ASCII, their compatible one (NFKC), or the
    small one of a capital: `ﬁne “½”` becomes `fine "½"`. Known characters stay, and so do joiners inside of emoji.
    """
    if known >= set(text):
        return text
    text = unicodedata.normalize("NFC", text)
    text = INVISIBLE.sub(lambda found: found[0] if found[0] in known else "", text)
    if SPACE not in known:
        text = text.replace(SPACE, " ")
    if "\u200d" not in known:
        text = JOINERS.sub("", text)
    return WORD.sub(lambda found: _word(found[0], known), text)


def readable_around(text: str, runs: Sequence[tuple[int, int]], known: Set[str]) -> tuple[str, list[tuple[int, int]]]:
    """The same for all but these runs, which come one after the other; and where they stand then."""
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    end = size = 0
    for begin, after in runs:
        parts += [readable(text[end:begin], known), text[begin:after]]
        size += len(parts[-2]) + after - begin
        places.append((size - (after - begin), size))
        end = after
    return "".join([*parts, readable(text[end:], known)]), places


def _word(word: str, known: Set[str]) -> str:
    """Its characters, those that are not known replaced where that helps; all are small then."""
    if any(one not in known and one.lower() in known for one in word) and not word.islower():
        small = word.lower()  # of a whole word, for a sigma at its end
        word = small if known >= set(small) else "".join(_small(one, known) for one in word)
    return word if known >= set(word) else "".join(one if one in known else _other(one, known) for one in word)


def _small(character: str, known: Set[str]) -> str:
    return character.lower() if known >= set(character.lower()) else character


def _other(character: str, known: Set[str]) -> str:
    """What else a character is written as, but for what would then mean something else: x² is not x2."""
    kind = unicodedata.decomposition(character).partition(" ")[0]
    compatible = character if kind in CHANGING else unicodedata.normalize("NFKC", character)
    others = character.translate(PLAIN), compatible, character.lower()
    return next((other for other in others if known >= set(other)), character)
