"""Tags and entities of a line: the text that the model reads without them, and the translation with all of them.

    a <b>big dog</b> isn&#39;t  ->  a big dog isn't  ->  ein großer Hund  ->  ein <b>großer Hund</b>

Tags are removed and placed around and beside the words of the translation. An entity is read as its character, and
written again wherever the translation has that character, unless the line has both forms.
"""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from seq2seq.languages import unspaced
from seq2seq.translation.stages.inline_tags import ENTITY, Tag, bare, character, tags
from seq2seq.translation.stages.tag_placement import CLOSING, placed
from seq2seq.translation.stages.words import own_links, word_links, word_spans
from seq2seq.translation.translation import Candidate

UNIT = re.compile(f"{ENTITY}|.", re.DOTALL)


class Markup(NamedTuple):
    """A line, and its text without tags, which the model reads.

    origins: position of each character in the line. places: for each tag the number of characters of the text before
    it. entities: how the line writes characters.
    """

    line: str
    language: str
    text: str
    origins: Sequence[int]
    tags: Sequence[Tag] = ()
    places: Sequence[int] = ()
    entities: Mapping[str, str] = {}

    @property
    def changed(self) -> bool:
        """Whether the model reads something else than the line."""
        return bool(self.tags or self.entities)

    def restored(self, candidate: Candidate, language: str) -> Candidate:
        """A translation of the text, with the line's tags and entities."""
        if not self.changed:
            return candidate
        if not self.text.strip():
            return candidate._replace(text=self.line, alignment=own_links(self.line, self.language, language))
        source, target = word_spans(self.text, self.language), word_spans(candidate.text, language)
        links = [(one, other) for one, other in candidate.alignment or () if one < len(source) and other < len(target)]
        order = placed(self.text, candidate.text, (source, target), links, self.tags, self.places)
        text, origins, begins = _written(self, candidate.text, order, language)
        if candidate.alignment is None:
            return candidate._replace(text=text)
        pairs = [(self.origins[source[one][0]], origins[target[other][0]]) for one, other in links]
        for number, begin in begins.items():
            tag = self.tags[number]
            pairs += [(place, begin + place - tag.begin) for place in range(tag.begin, tag.end)]
        return candidate._replace(text=text, alignment=word_links(pairs, (self.line, text), (self.language, language)))

    def lost(self, text: str, replaced: Container[str]) -> bool:
        """Whether a translation has a tag or placeholder more or less often; `replaced`: those replaced on purpose."""
        if {"<", "&", "%", "{", "$", "_"}.isdisjoint(self.line):
            return False
        own = {self.line[tag.begin : tag.end] for tag in tags(self.line)} | set(bare(self.line))
        return any(self.line.count(one) != text.count(one) for one in own if one not in replaced)


def unmarked(line: str, language: str) -> Markup:
    """A line that the model reads unchanged."""
    return Markup(line, language, line, range(len(line)))


def read_markup(line: str, off: Sequence[Tag], language: str) -> Markup:
    """Removes tags, replaces entities by their characters; a tag between words (`<br>`) leaves a space."""
    if not off and "&" not in line:
        return unmarked(line, language)
    kept: list[tuple[str, int]] = []
    places: list[int] = []
    entities: dict[str, str] = {}
    raw: set[str] = set()
    for (_, begin), tag in zip(pairwise([0, 0, *(tag.end for tag in off)]), [*off, None], strict=True):
        for place, letter, entity in _letters(line, begin, tag.begin if tag else len(line)):
            if entity:
                entities.setdefault(letter, entity)
            else:
                raw.add(letter)
            if not (letter.isspace() and places and (not kept or kept[-1][0].isspace())):
                kept.append((letter, place))
        if tag is None:
            break
        rest = line[tag.end : tag.end + 1]
        if not tag.inline and not unspaced(language) and kept and not kept[-1][0].isspace() and rest.isalnum():
            kept.append((" ", tag.begin))
        elif rest and rest in CLOSING and line[tag.begin - 1 : tag.begin].isspace():
            while kept and kept[-1][0].isspace():
                kept.pop()
            places = [min(place, len(kept)) for place in places]
        places.append(len(kept))
    written = {letter: entity for letter, entity in entities.items() if letter not in raw}
    text, origins = "".join(letter for letter, _ in kept), [origin for _, origin in kept]
    return Markup(line, language, text, origins, off, places, written)


def _letters(line: str, begin: int, end: int) -> Iterator[tuple[int, str, str]]:
    """Each character of a part of the line: its position, its character as read, and its entity."""
    for match in UNIT.finditer(line, begin, end):
        if letter := character(match[0]):
            yield match.start(), letter, match[0]
        else:
            yield from ((match.start() + place, letter, "") for place, letter in enumerate(match[0]))


def _written(
    given: Markup, target: str, order: Sequence[tuple[int, int]], language: str
) -> tuple[str, dict[int, int], dict[int, int]]:
    """The target with all tags and entities, and where each of its characters and each tag begins then."""
    size, parts = 0, []
    origins: dict[int, int] = {}
    begins: dict[int, int] = {}
    for part, place, number in _pieces(given, target, order, language):
        if place is not None:
            origins[place] = size
        if number is not None:
            begins[number] = size
        parts.append(part)
        size += len(part)
    return "".join(parts), origins, begins


def _pieces(
    given: Markup, target: str, order: Sequence[tuple[int, int]], language: str
) -> Iterator[tuple[str, int | None, int | None]]:
    """Each character of the target with its place, each tag with its number, and spaces around tags."""
    groups: dict[int, list[int]] = {}  # where the word before them ends -> tags
    last = 0
    for place, number in order:
        last = max(last, len(target[:place].rstrip()))
        groups.setdefault(last, []).append(number)
    last = 0
    for end, numbers in [*groups.items(), (len(target), [])]:
        yield from ((given.entities.get(target[place], target[place]), place, None) for place in range(last, end))
        last = len(target) - len(target[end:].lstrip()) if numbers else end
        own = [given.tags[number] for number in numbers]
        inside_word = 0 < end == last < len(target)
        apart = [False] * (len(own) + 1) if unspaced(language) or inside_word else _apart(own, unspaced(given.language))
        for number, space in zip(numbers, apart, strict=False):
            if space and (end or number != numbers[0]):
                yield " ", None, None
            yield given.line[given.tags[number].begin : given.tags[number].end], None, number
        if numbers and apart[-1] and last < len(target):
            yield " ", None, None


def _apart(own: Sequence[Tag], dense: bool) -> list[bool]:
    """Before each of several adjacent tags, and after the last, whether a space belongs there."""
    between = [not (one.touches[1] or other.touches[0]) for one, other in pairwise(own)]
    return [not _touches(own[0], 0, dense), *between, not _touches(own[-1], 1, dense)] if own else [False]


def _touches(tag: Tag, side: int, dense: bool) -> bool:
    """Whether a tag touches the word on that side: as in the line, but for the outer sides of a pair inside a word.

    dense: the line has no spaces between words.
    """
    outer = tag.partner is not None and (side == 0) == tag.opens
    return tag.touches[side] and not (outer and all(tag.touches) and (dense or tag.inline))
