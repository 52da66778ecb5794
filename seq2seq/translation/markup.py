"""Tags and entities around the words that a model reads: taken off a line, put around the words of its translation.

    a <b>big dog</b> runs  ->  a big dog runs  ->  ein großer Hund rennt  ->  ein <b>großer Hund</b> rennt

A pair of tags goes around the words that are aligned with what it surrounds, a single one behind the translation of
the word before it. Pairs nest as they did, and what is single stays in its order, whatever the alignment says.
"""

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, zip_longest
from typing import NamedTuple

from seq2seq.languages import unspaced
from seq2seq.translation.tags import Tag
from seq2seq.translation.translation import Candidate
from seq2seq.translation.words import CHARACTER, WORD

CLOSING = ".,;:!?…)]»”’。、，！？；："  # no space goes before it
SYMBOLS = "%&@#*/\\{}"  # not punctuation that stands around a word
OTHER = -1  # a word that is aligned with none of the surrounded ones
Place = tuple[int, int]  # see _Words: 3 * word + 0 before it, 1 and 2 around its core, with an offset behind 1


class Marked(NamedTuple):
    """A line and what is left of it without its tags. origins: where each character that is left stands in the line.

    places: how many characters that are left stand before each tag. glued: whether no space parts it from what stands
    before and behind it.
    """

    line: str
    language: str
    text: str
    tags: Sequence[Tag]
    origins: Sequence[int]
    places: Sequence[int]
    glued: Sequence[tuple[bool, bool]]


class _Node(NamedTuple):
    """A tag, or a pair of them and what it surrounds."""

    tag: int
    close: int | None
    inner: "list[_Node]"


class _Words:
    """The words of a text, and where the punctuation around each one's core ends and begins."""

    def __init__(self, text: str, language: str) -> None:
        self.text = text
        self.spans = [match.span() for match in (CHARACTER if unspaced(language) else WORD).finditer(text)]
        self.cores = [_core(text, *span) for span in self.spans]
        self.starts = [begin for begin, _ in self.spans]

    def at(self, place: int) -> int:
        """The number of the word that holds a character."""
        return bisect_right(self.starts, place) - 1

    def core(self, word: int) -> str:
        begin, end = self.cores[word]
        return self.text[begin:end]

    def word(self, word: int) -> str:
        begin, end = self.spans[word]
        return self.text[begin:end]

    def offset(self, place: Place) -> int:
        """Where in the text a place is."""
        word, side = divmod(place[0], 3)
        if word == len(self.spans):
            return self.spans[-1][1] if self.spans else 0
        if side == 1:
            return self.cores[word][0] + place[1]
        return self.cores[word][1] if side else self.spans[word][0]


def marked(line: str, tags: Sequence[Tag], language: str) -> Marked:
    """A line without these tags; where one parts two words without a space, as `<br>` may, a space stays."""
    text: list[str] = []
    origins: list[int] = []
    places: list[int] = []

    def keep(begin: int, end: int) -> None:
        for place in range(begin, end):
            if line[place].isspace() and places and (not text or text[-1].isspace()):
                continue
            text.append(line[place])
            origins.append(place)

    end = 0
    for tag in tags:
        keep(end, tag.begin)
        behind = line[tag.end : tag.end + 1]
        if not tag.inline and not unspaced(language) and text and not text[-1].isspace() and behind.isalnum():
            text.append(" ")
            origins.append(tag.begin)
        elif behind and behind in CLOSING and line[tag.begin - 1 : tag.begin].isspace():
            while text and text[-1].isspace():
                text.pop()
                origins.pop()
            places = [min(place, len(text)) for place in places]
        places.append(len(text))
        end = tag.end
    keep(end, len(line))
    glued = [(not _parted(line, tag.begin - 1), not _parted(line, tag.end)) for tag in tags]
    return Marked(line, language, "".join(text), tags, origins, places, glued)


def restored(found: Candidate, given: Marked, language: str) -> Candidate:
    """A translation of what was left, with all tags."""
    if not given.tags:
        return found
    source, target = _Words(given.text, given.language), _Words(found.text, language)
    if not source.spans:
        return found._replace(text=given.line, alignment=_own_links(given.line, given.language, language))
    aligned = [
        (one, other) for one, other in found.alignment or () if one < len(source.spans) and other < len(target.spans)
    ]
    if not aligned and target.spans:  # as far along
        ratio = len(target.spans) / len(source.spans)
        aligned = [(word, int(word * ratio)) for word in range(len(source.spans))]
    order = _Placing(given, source, target, aligned).everything()
    text, places, tags = _written(order, given, target, language)
    if found.alignment is None:
        return found._replace(text=text)
    before, after = _Words(given.line, given.language), _Words(text, language)
    links = {
        (before.at(given.origins[source.spans[one][0]]), after.at(places[target.spans[other][0]]))
        for one, other in found.alignment
        if one < len(source.spans) and other < len(target.spans)
    }
    for number, begin in tags:
        tag = given.tags[number]
        size = tag.end - tag.begin
        links |= {
            (before.at(tag.begin + step), after.at(begin + step))
            for step in range(size)
            if not given.line[tag.begin + step].isspace()
        }
    return found._replace(text=text, alignment=tuple(sorted(links)))


def _own_links(line: str, source: str, target: str) -> tuple[tuple[int, int], ...]:
    """The alignment of a line with itself."""
    before, after = _Words(line, source), _Words(line, target)
    return tuple(
        sorted({(before.at(place), after.at(place)) for place, letter in enumerate(line) if not letter.isspace()})
    )


def _core(text: str, begin: int, end: int) -> tuple[int, int]:
    """A word without the punctuation around it, unless it has nothing else."""
    first, last = begin, end
    while first < end and _is_punctuation(text[first]):
        first += 1
    while last > begin and _is_punctuation(text[last - 1]):
        last -= 1
    return (first, last) if first < last else (begin, end)


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character) in ("Ps", "Pe", "Pi", "Pf", "Po") and character not in SYMBOLS


def _parted(line: str, place: int) -> bool:
    """Whether a space stands there; beyond the line's ends there is one."""
    return not 0 <= place < len(line) or line[place].isspace()


class _Placing:
    """Where each tag goes in the translation, nested as in the line."""

    def __init__(self, given: Marked, source: _Words, target: _Words, links: Sequence[tuple[int, int]]) -> None:
        self.given, self.source, self.target = given, source, target
        self.targets: dict[int, list[int]] = {}
        self.sources: dict[int, list[int]] = {}
        for one, other in links:
            self.targets.setdefault(one, []).append(other)
            self.sources.setdefault(other, []).append(one)

    def everything(self) -> list[tuple[Place, int]]:
        """Each tag with its place, in the order in which they are written."""
        whole = (0, 0), (3 * len(self.target.spans), 0)
        nodes, _ = self._nodes(0, len(self.given.tags))
        return list(self._inside(nodes, *whole, range(len(self.source.spans))))

    def _nodes(self, begin: int, end: int) -> tuple[list[_Node], int]:
        nodes = []
        while begin < end:
            partner = self.given.tags[begin].partner
            inner = self._nodes(begin + 1, partner)[0] if partner is not None else []
            nodes.append(_Node(begin, partner, inner))
            begin = (begin if partner is None else partner) + 1
        return nodes, begin

    def _inside(self, nodes: Sequence[_Node], low: Place, high: Place, around: range) -> Iterator[tuple[Place, int]]:
        """What a node surrounds: `low` and `high` are its ends, `around` its words."""
        contents = [self._content(node) for node in nodes]
        runs = self._runs(contents, around, low, high)
        spans: dict[int, tuple[Place, Place]] = {}
        for number, node in enumerate(nodes):
            if node.close is None:
                continue
            if (inner := self._within_word(node, low, high)) is not None:
                spans[number] = inner
            elif number in runs:
                begin, end = self._opening(node, runs[number][0]), self._closing(node, runs[number][1])
                spans[number] = max(low, begin), min(high, end)
        spans = _apart(spans)
        singles = [number for number in range(len(nodes)) if number not in spans]
        points = sorted(self._point(nodes[number], number, spans, low, high) for number in singles)
        keyed = [(point, 0, number, point) for point, number in zip(points, singles, strict=True)]
        keyed += [(begin, 1, number, end) for number, (begin, end) in spans.items()]
        for begin, _, number, end in sorted(keyed):
            node = nodes[number]
            yield begin, node.tag
            yield from self._inside(node.inner, begin, end, contents[number])
            if node.close is not None:
                yield end, node.close

    def _content(self, node: _Node) -> range:
        """The source words that a pair surrounds, in part or whole."""
        if node.close is None:
            return range(0)
        begin, end = self.given.places[node.tag], self.given.places[node.close]
        first = bisect_right(self.source.cores, begin, key=lambda core: core[1])
        behind = bisect_left(self.source.cores, end, key=lambda core: core[0])
        return range(first, max(first, behind))

    def _runs(self, contents: Sequence[range], around: range, low: Place, high: Place) -> dict[int, tuple[int, int]]:
        """Of each content the run of target words that holds most of its own and fewest others; no run holds two's."""
        first, behind = (low[0] + 2 - 2 * (low[0] % 3 == 1)) // 3, (high[0] + 2) // 3
        if around in contents and around and first < behind:
            return {contents.index(around): (first, behind)}
        owners: dict[int, int] = {}
        for number, content in enumerate(contents):
            for word in content:
                owners.setdefault(word, number)
        labels: list[int | None] = []
        for word in range(first, behind):
            linked = [owners.get(one) for one in self.sources.get(word, ())]
            own = next((one for one in linked if one is not None), None)
            labels.append(own if own is not None else OTHER if linked else None)
        found = {}
        for owner in set(labels) - {None, OTHER}:
            assert owner is not None
            begin, end = _densest(labels, owner)
            found[owner] = first + begin, first + end
        return found

    def _within_word(self, node: _Node, low: Place, high: Place) -> tuple[Place, Place] | None:
        """The places of a pair inside of a word (`H<sub>2</sub>O`), if the translation has that word."""
        assert node.close is not None
        begin, end = self.given.places[node.tag], self.given.places[node.close]
        word = self.source.at(begin)
        if word < 0 or not begin < end <= self.source.spans[word][1]:
            return None
        first, last = self.source.cores[word]
        if begin <= first and last <= end:
            return None
        for other in self.targets.get(word, ()):
            whole = self.target.word(other) == self.source.word(word)
            if whole or (first <= begin and end <= last and self.target.core(other) == self.source.core(word)):
                places = (3 * other + 1, begin - first), (3 * other + 1, end - first)
                return places if low <= places[0] and places[1] <= high else None
        return None

    def _opening(self, node: _Node, word: int) -> Place:
        """Before a target word: before the punctuation that it begins with, if such was surrounded in the line."""
        place, own = self.given.places[node.tag], self._content(node)[0]
        begin, core = self.source.spans[own][0], self.source.cores[own][0]
        inside = place <= begin < core or (begin == core and own == 0)
        return (
            (3 * word, 0) if inside or self.target.spans[word][0] == self.target.cores[word][0] else (3 * word + 1, 0)
        )

    def _closing(self, node: _Node, behind: int) -> Place:
        """Behind the last of some target words, in the same way."""
        assert node.close is not None
        place, own = self.given.places[node.close], self._content(node)[-1]
        end, core = self.source.spans[own][1], self.source.cores[own][1]
        inside = core < end <= place or (core == end and own == len(self.source.spans) - 1)
        word = behind - 1
        plain = self.target.spans[word][1] == self.target.cores[word][1]
        return (3 * behind, 0) if inside or plain else (3 * word + 2, 0)

    def _point(
        self, node: _Node, number: int, spans: Mapping[int, tuple[Place, Place]], low: Place, high: Place
    ) -> Place:
        """Where a single tag goes, or a pair around nothing that is left; never into a neighbour."""
        found = min(max(self._beside(node), low), high)
        for other, (begin, end) in spans.items():
            if begin < found < end:
                return begin if number < other else end
        return found

    def _beside(self, node: _Node) -> Place:
        """Beside the translation of the word that a tag touches, or of the nearest one that has one."""
        place, (glued_before, glued_behind) = self.given.places[node.tag], self.given.glued[node.tag]
        before = bisect_left(self.source.cores, place, key=lambda core: core[0])  # words that begin before it
        if not glued_before and (glued_behind or self.given.tags[node.tag].opens) and before in self.targets:
            return self._before(before, place)
        for left, right in zip_longest(range(before - 1, -1, -1), range(before, len(self.source.spans))):
            if left in self.targets:
                return self._behind(left, place)
            if right in self.targets:
                return self._before(right, place)
        return 3 * round(len(self.target.spans) * before / max(1, len(self.source.spans))), 0

    def _before(self, word: int, place: int) -> Place:
        """Before the translation of a word; behind the punctuation that it begins with where the tag was."""
        other = min(self.targets[word])
        return (3 * other + 1, 0) if self.source.spans[word][0] < place else (3 * other, 0)

    def _behind(self, word: int, place: int) -> Place:
        """Behind the translation of a word; before the punctuation that it ends with where the tag was."""
        other = max(self.targets[word])
        trailing = place < self.source.spans[word][1] and self.target.cores[other][1] < self.target.spans[other][1]
        return (3 * other + 2, 0) if trailing else (3 * other + 3, 0)


def _densest(labels: Sequence[int | None], owner: int) -> tuple[int, int]:
    """Where the run begins and ends that has most labels of an owner and fewest of OTHER; none of another owner."""
    best, found = (0, 0), (0, 0)
    begin, total = -1, 0
    for place, label in enumerate(labels):
        if label == owner:
            if begin < 0 or total < 0:
                begin, total = place, 0
            total += 1
            if (total, place + 1 - begin) > best:
                best, found = (total, place + 1 - begin), (begin, place + 1)
        elif label == OTHER:
            total -= 1
        elif label is not None:
            begin, total = -1, 0
    return found


def _apart(spans: Mapping[int, tuple[Place, Place]]) -> dict[int, tuple[Place, Place]]:
    """Without those that end before they begin or run into a neighbour before them."""
    kept: dict[int, tuple[Place, Place]] = {}
    last: Place = (-1, 0)
    for number, (begin, end) in sorted(spans.items(), key=lambda one: one[1]):
        if last <= begin <= end:
            kept[number] = begin, end
            last = end
    return kept


def _written(
    order: Sequence[tuple[Place, int]], given: Marked, target: _Words, language: str
) -> tuple[str, list[int], list[tuple[int, int]]]:
    """The text with all tags, where each character of the translation and each tag begins in it."""
    parts: list[str] = []
    origins: list[int] = []
    begins: list[tuple[int, int]] = []
    size = last = 0

    def add(text: str, own: bool) -> None:
        nonlocal size
        if own:
            origins.extend(range(size, size + len(text)))
        parts.append(text)
        size += len(text)

    groups: dict[int, list[int]] = {}  # the end of the word before -> tags
    for place, number in order:
        last = max(last, len(target.text[: target.offset(place)].rstrip()))
        groups.setdefault(last, []).append(number)
    last = 0
    for end, numbers in groups.items():
        behind = end + len(target.text[end:]) - len(target.text[end:].lstrip())
        add(target.text[last:end], True)
        spaces = _spaces(numbers, given, end < behind, end > 0, behind < len(target.text), language)
        for space, number in zip(spaces, numbers, strict=False):
            add(" " * space, False)
            begins.append((number, size))
            add(given.line[given.tags[number].begin : given.tags[number].end], False)
        add(" " * spaces[-1], False)
        origins.extend([size] * (behind - end))
        last = behind
    add(target.text[last:], True)
    return "".join(parts), origins, begins


def _spaces(numbers: Sequence[int], given: Marked, gap: bool, before: bool, behind: bool, language: str) -> list[bool]:
    """Before each of the tags that stand together, and behind the last one, whether a space parts them."""
    if unspaced(language) or (before and behind and not gap):
        return [False] * (len(numbers) + 1)
    dense = unspaced(given.language)
    first, last = numbers[0], numbers[-1]
    spaces = [before and not _touches(given, first, 0, dense)]
    spaces += [not (given.glued[one][1] or given.glued[other][0]) for one, other in pairwise(numbers)]
    return [*spaces, behind and not _touches(given, last, 1, dense)]


def _touches(given: Marked, number: int, side: int, dense: bool) -> bool:
    """Whether a tag touches the word on that side: as in the line, but for the outer sides of a pair inside a word."""
    tag = given.tags[number]
    if not given.glued[number][side]:
        return False
    outer = tag.partner is not None and (side == 0) == tag.opens
    return not (outer and all(given.glued[number]) and (dense or tag.inline))
