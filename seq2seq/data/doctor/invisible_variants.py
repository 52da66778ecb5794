"""Spellings of the same text that differ in characters which readers do not see, counted with the first places."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from seq2seq.data.tokenizer.canonical import HIDDEN

PLACES = 3  # that are named of each kind
SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
ENTITY = re.compile("&(?:[A-Za-z][A-Za-z0-9]{1,7}|#[0-9]{2,6}|#[xX][0-9A-Fa-f]{2,5});")
KINDS: Mapping[str, Callable[[str], object]] = {
    "decomposed letters (not NFC)": lambda text: not unicodedata.is_normalized("NFC", text),
    "no-break or other odd spaces": SPACES.search,
    "soft hyphens or other hidden characters": lambda text: HIDDEN.search(text) or "\u200b" in text,
    "HTML entities": ENTITY.search,
}


class InvisibleVariants:
    """How many lines have each kind, and where the first ones stand."""

    def __init__(self) -> None:
        self.lines: Counter[str] = Counter()
        self.places: dict[str, list[str]] = {}

    def add(self, text: str, origin: str) -> None:
        """Looks at one line."""
        if text.isascii() and "&" not in text:
            return
        for kind, has in KINDS.items():
            if has(text):
                self.lines[kind] += 1
                if len(places := self.places.setdefault(kind, [])) < PLACES:
                    places.append(origin)

    def described(self, lines: int) -> Iterator[tuple[str, bool]]:
        """Of each kind that there is: how many of the lines have it and where, and whether most lines have not."""
        for kind in KINDS:
            if count := self.lines[kind]:
                places = ", ".join(self.places[kind])
                yield f"{kind} in {count:,} of {lines:,} lines (first {places})", 2 * count < lines
