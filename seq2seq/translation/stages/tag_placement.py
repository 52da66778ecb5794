"""Places tags in a translation: a pair around the words aligned with its content, a single tag beside its word.

Pairs nest as in the source, and single tags keep their order, whatever the alignment is. A word is punctuation, a core
and punctuation, aligned part by part; equal parts are aligned letter by letter, for tags inside words.
"""

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from seq2seq.translation.stages.inline_tags import Tag

CLOSING = ".,;:!?…)]»”’。、，！？；："  # no space goes before it
SYMBOLS = "%&@#*/\\{}"  # characters that are not punctuation around a word
OTHER = -1  # a character that is aligned with nothing that a pair here surrounds


class Region(NamedTuple):
    """Characters of a text from `begin` up to `end` (excluded)."""

    begin: int
    end: int


def placed(
    source: str,
    target: str,
    spans: tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int]]],
    links: Sequence[tuple[int, int]],
    tags: Sequence[Tag],
    places: Sequence[int],
) -> list[tuple[int, int]]:
    """For each tag, in the order of writing: (number of target characters before it, number of the tag).

    Args:
        source: The text without its tags.
        target: Its translation.
        spans: Of the words of both.
        links: Aligned words (source, target); without any, words are aligned by position.
        tags: Those of the source.
        places: How many characters of the source precede each.
    """
    if not links and spans[1]:
        ratio = len(spans[1]) / len(spans[0])
        links = [(word, int(word * ratio)) for word in range(len(spans[0]))]
    words = [[_parts(text, *one) for one in each] for text, each in zip((source, target), spans, strict=True)]
    placing = _Placing(source, target, words, links, tags, places)
    everything = Region(0, len(target)), placing.trimmed(0, len(source))
    return list(placing.inside(0, len(tags), *everything))


class _Placing:
    """sources: the aligned parts of the source for each target character. images: the inverse."""

    def __init__(
        self,
        source: str,
        target: str,
        words: Sequence[Sequence[Sequence[Region]]],
        links: Sequence[tuple[int, int]],
        tags: Sequence[Tag],
        places: Sequence[int],
    ) -> None:
        self.source, self.tags, self.places = source, tags, places
        self.cores = [core for _, core, _ in words[1]]
        self.sources: list[list[Region]] = [[] for _ in target]
        self.images: dict[int, list[Region]] = {}
        for one, other in links:
            for own, image in zip(words[0][one], words[1][other], strict=True):
                same = source[slice(*own)] == target[slice(*image)]
                for place in range(*own):
                    letter = Region(image.begin + place - own.begin, image.begin + place - own.begin + 1)
                    self.images.setdefault(place, []).append(letter if same else image)
                for place in range(*image):
                    letter = Region(own.begin + place - image.begin, own.begin + place - image.begin + 1)
                    self.sources[place].append(letter if same else own)
        self.aligned = sorted(self.images)

    def trimmed(self, begin: int, end: int) -> Region:
        """Without the spaces at both ends."""
        text = self.source[begin:end]
        begin += len(text) - len(text.lstrip())
        return Region(begin, begin + len(text.strip()))

    def inside(self, first: int, behind: int, region: Region, around: Region) -> Iterator[tuple[int, int]]:
        """Places the tags from `first` up to `behind`: all that are in a pair around this part of the source.

        region: the position of that pair in the target.
        """
        closing = dict(self._nodes(first, behind))
        contents = {tag: self.trimmed(self.places[tag], self.places[close]) for tag, close in closing.items()}
        spans = self._spans(contents, region, around)
        singles = [tag for tag in closing if tag not in spans]
        points = sorted(self._point(tag, spans, region) for tag in singles)
        order = [(point, 0, tag, point) for point, tag in zip(points, singles, strict=True)]
        order += [(begin, 1, tag, end) for tag, (begin, end) in spans.items()]
        for begin, _, tag, end in sorted(order):
            yield begin, tag
            if closing[tag] != tag:
                yield from self.inside(tag + 1, closing[tag], Region(begin, end), contents[tag])
                yield end, closing[tag]

    def _nodes(self, tag: int, behind: int) -> Iterator[tuple[int, int]]:
        """Each pair of tags that is in no other one here, and each single tag, twice."""
        while tag < behind:
            partner = self.tags[tag].partner
            close = tag if partner is None else partner
            yield tag, close
            tag = close + 1

    def _spans(self, contents: Mapping[int, Region], region: Region, around: Region) -> dict[int, Region]:
        """The region of each pair in the target: the run with most characters of its own and fewest of others.

        If there is none, the word at the pair's position, unless another pair has it.
        """
        full = [(tag, content) for tag, content in contents.items() if content.begin < content.end]
        for tag, content in full:
            if content == around and region.begin < region.end:
                return {tag: region}
        labels = [max((_owner(part, full) for part in self.sources[place]), default=None) for place in range(*region)]
        spans = {tag: Region(region.begin + run.begin, region.begin + run.end) for tag, run in _runs(labels).items()}
        for tag, _ in full:
            if tag not in spans and (word := self._free_word(self._point(tag, spans, region), spans, region)):
                spans[tag] = word
        return spans

    def _free_word(self, point: int, spans: Mapping[int, Region], region: Region) -> Region | None:
        """The target word after a position, or else the one before it, unless it is in a span."""
        number = bisect_left(self.cores, point, key=lambda core: core.begin)
        for word in self.cores[number : number + 1] + self.cores[max(0, number - 1) : number]:
            free = all(word.end <= begin or end <= word.begin for begin, end in spans.values())
            if free and region.begin <= word.begin and word.end <= region.end:
                return word
        return None

    def _point(self, tag: int, spans: Mapping[int, Region], region: Region) -> int:
        """Where a single tag goes, or a pair around nothing; never into another pair."""
        point = min(max(self._beside(tag), region.begin), region.end)
        for other, (begin, end) in spans.items():
            if begin < point < end:
                return begin if tag < other else end
        return point

    def _beside(self, tag: int) -> int:
        """Beside the target of the character that a tag touches, or of the nearest aligned character."""
        behind, before = self.trimmed(self.places[tag], len(self.source)).begin, self.trimmed(0, self.places[tag]).end
        touches_before, touches_behind = self.tags[tag].touches
        number = bisect_left(self.aligned, behind)
        left, right = self.aligned[:number][-1:], self.aligned[number : number + 1]
        goes_on = right == [behind] and not touches_before and (touches_behind or self.tags[tag].opens)
        if left and not goes_on and not (right and right[0] - behind < before - 1 - left[0]):
            return max(image.end for image in self.images[left[0]])
        return min((image.begin for one in right for image in self.images[one]), default=0)


def _owner(part: Region, contents: Sequence[tuple[int, Region]]) -> int:
    """Whose content, of some that come one after the other, holds any of a part of the source; the first one's."""
    number = bisect_right(contents, part.begin, key=lambda one: one[1].end)
    return contents[number][0] if number < len(contents) and contents[number][1].begin < part.end else OTHER


def _parts(text: str, begin: int, end: int) -> tuple[Region, Region, Region]:
    """The punctuation before a word, its core, and the punctuation after it; punctuation alone is a core."""
    first, last = begin, end
    while first < end and _is_punctuation(text[first]):
        first += 1
    while last > begin and _is_punctuation(text[last - 1]):
        last -= 1
    first, last = (first, last) if first < last else (begin, end)
    return Region(begin, first), Region(first, last), Region(last, end)


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character) in ("Ps", "Pe", "Pi", "Pf", "Po") and character not in SYMBOLS


def _runs(labels: Sequence[int | None]) -> dict[int, Region]:
    """For each owner the run with most labels of its own and fewest of OTHER, without another owner's labels."""
    best: dict[int, tuple[int, int, int]] = {}
    owner, begin, total = OTHER, 0, 0
    for place, label in enumerate(labels):
        if label == OTHER:
            total -= 1
        elif label is not None:
            if label != owner or total < 0:
                owner, begin, total = label, place, 0
            total += 1
            if (total, place + 1 - begin) > best.get(label, (0, 0, 0))[:2]:
                best[label] = total, place + 1 - begin, begin
    return {label: Region(begin, begin + length) for label, (_, length, begin) in best.items()}
