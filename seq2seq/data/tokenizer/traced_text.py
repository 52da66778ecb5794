"""A text made of another one, with the place in the other that each of its characters comes from."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple


class TracedText(NamedTuple):
    """A text, and for each of its characters the place of the character in the given text that it comes from."""

    text: str
    origins: Sequence[int]

    @classmethod
    def given(cls, text: str) -> "TracedText":
        """A text that nothing has been done to."""
        return cls(text, range(len(text)))

    def sub(self, pattern: re.Pattern[str], form: Callable[[re.Match[str]], str]) -> "TracedText":
        """As `pattern.sub(form, text)`."""
        return self.replaced((match.start(), match.end(), form(match)) for match in pattern.finditer(self.text))

    def composed(self) -> "TracedText":
        """In the normalisation form C of Unicode: as `unicodedata.normalize("NFC", text)`."""
        if unicodedata.is_normalized("NFC", self.text):
            return self
        units = ((begin, end, self.text[begin:end]) for begin, end in _composing(self.text))
        return self.replaced((begin, end, unicodedata.normalize("NFC", unit)) for begin, end, unit in units)

    def replaced(self, changes: Iterator[tuple[int, int, str]]) -> "TracedText":
        """With other text in place of what stands from `begin` to `end`, for every (begin, end, text), in order."""
        parts: list[str] = []
        origins: list[int] = []
        done = 0
        for begin, end, new in changes:
            parts += [self.text[done:begin], new]
            origins += self.origins[done:begin]
            origins += [self.origins[min(begin + place, max(begin, end - 1))] for place in range(len(new))]
            done = end
        if not done:
            return self
        return TracedText("".join([*parts, self.text[done:]]), [*origins, *self.origins[done:]])


def around(
    text: str, runs: Sequence[tuple[int, int]], form: Callable[[str], TracedText]
) -> tuple[TracedText, list[tuple[int, int]]]:
    """What `form` makes of a text but for these runs, which come one after the other; and where they stand then."""
    parts: list[str] = []
    origins: list[int] = []
    places: list[tuple[int, int]] = []
    end = 0
    for begin, after in [*runs, (len(text), len(text))]:
        formed = form(text[end:begin])
        parts += [formed.text, text[begin:after]]
        origins += [end + one for one in formed.origins]
        places.append((len(origins), len(origins) + after - begin))
        origins += range(begin, after)
        end = after
    return TracedText("".join(parts), origins), places[:-1]


def _composing(text: str) -> Iterator[tuple[int, int]]:
    """Where characters with their marks begin and end: nothing is composed across these places."""
    begin = 0
    for place, character in enumerate(text):
        joins = unicodedata.category(character)[0] == "M" or "\u1160" <= character <= "\u11ff"
        if place and not joins:
            yield begin, place
            begin = place
    if text:
        yield begin, len(text)
