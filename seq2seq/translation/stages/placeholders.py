"""Words that the model cannot read: masked before translation, restored in the translation.

A character without a piece becomes bytes, or the unknown symbol. A model that was not trained on them translates them,
and their neighbours, arbitrarily. Luong et al. (2015b) let a model generate "unknown" and look up what it was aligned
with, but these models never generate it. So the line is translated without such words, and each is restored after the
translation of the word before it:

    A dog 🐕 plays.  ->  A dog plays.  ->  Ein Hund spielt.  ->  Ein Hund 🐕 spielt.

Text that is copied (passthrough) goes the same way.
"""

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, zip_longest
from typing import Literal, NamedTuple

from seq2seq.languages import unspaced
from seq2seq.translation.stages.inline_tags import takes_next
from seq2seq.translation.stages.words import starts, word_spans, words
from seq2seq.translation.translation import Candidate

Unknown = Literal["keep", "symbols", "copy"]
INSIDE = "'’-_"  # part of a word if between its letters
JOINER = "\u200d"  # makes one emoji of several


class Placeholder(NamedTuple):
    """Masked text: how many words of the masked line precede it, and its word number in the line.

    `closing`: the punctuation directly after it.
    """

    text: str
    before: int
    number: int
    closing: str


class MaskedLine(NamedTuple):
    """A line without its unknown words; `numbers`: of the words left, in the whole line.

    `whole`: the line, where nothing is left and its translation is the line itself. `looked_up`: something else is
    put back than was taken out.
    """

    text: str
    placeholders: tuple[Placeholder, ...] = ()
    numbers: tuple[int, ...] = ()
    whole: str | None = None
    looked_up: bool = False


def mask(
    line: str,
    language: str,
    strange: Callable[[str], bool] | None,
    symbols_only: bool,
    dictionary: Mapping[str, str],
    others: Sequence[tuple[int, int]] = (),
) -> MaskedLine:
    """The line without what is strange to the tokenizer (None: nothing is), words or symbols only, and without others.

    What is put back for a word is its entry in the dictionary, if it has one.
    """
    strangers = _strangers(line, language, strange, symbols_only) if strange else ()
    runs = list(merged([*strangers, *others]))
    if not runs:
        return MaskedLine(line)
    kept, ends = _cut(line, runs, unspaced(language))
    left = "".join(character for character, _ in kept)
    own_starts, all_starts = starts(left, language), starts(line, language)
    placeholders = []
    for (begin, after), end in zip(runs, ends, strict=True):
        word, number = line[begin:after], bisect_right(all_starts, begin) - 1
        placeholders.append(
            Placeholder(dictionary.get(word, word), bisect_left(own_starts, end), number, _closing(line, after))
        )
    numbers = (bisect_right(all_starts, kept[start][1]) - 1 for start in own_starts)
    looked_up = any(one.text != line[begin:after] for one, (begin, after) in zip(placeholders, runs, strict=True))
    return (
        MaskedLine(left, tuple(placeholders), tuple(numbers), looked_up=looked_up)
        if own_starts or looked_up
        else unmasked(line)
    )


def unmasked(line: str) -> MaskedLine:
    """A line of which nothing is translated."""
    return MaskedLine("", (Placeholder(line, 0, 0, ""),), (), line)


def _cut(line: str, runs: Sequence[tuple[int, int]], dense: bool) -> tuple[list[tuple[str, int]], list[int]]:
    """The characters that remain, with their positions in the line, and how many of them precede each run.

    Of two adjacent spaces one remains, and none before punctuation; adjacent letters get a space between them.
    """
    kept: list[tuple[str, int]] = []
    ends = []
    end = 0
    for begin, after in runs:
        kept += [(line[place], place) for place in range(end, begin)]
        rest = line[after : after + 1]
        if not rest or rest.isspace() or _closing(line, after):
            while kept and kept[-1][0].isspace():
                kept.pop()
        ends.append(len(kept))
        if kept and kept[-1][0].isalnum() and rest.isalnum() and not dense:
            kept.append((" ", begin))
        end = after
    return kept + [(line[place], place) for place in range(end, len(line))], ends


def renumbered(taken: MaskedLine, numbers: Sequence[int]) -> MaskedLine:
    """With the numbers of words in another text: `numbers` has one for each word of the text that it was taken from."""
    placeholders = tuple(one._replace(number=numbers[one.number]) for one in taken.placeholders)
    own = taken.numbers if taken.placeholders else range(len(numbers))
    return taken._replace(placeholders=placeholders, numbers=tuple(numbers[number] for number in own))


def restore(candidate: Candidate, taken: MaskedLine, language: str) -> Candidate:
    """The translation with the masked words restored, also in its alignment."""
    if not taken.placeholders:
        return _linked(candidate, taken.numbers)
    targets: dict[int, list[int]] = {}
    for source, target in candidate.alignment or ():
        targets.setdefault(source, []).append(target)
    own, dense = word_spans(candidate.text, language), unspaced(language)
    inserted: dict[int, list[Placeholder]] = {}  # after this many words
    places = [_place(placeholder.before, len(taken.numbers), targets, len(own)) for placeholder in taken.placeholders]
    for place, placeholder in zip(_in_order(places, taken.placeholders), taken.placeholders, strict=True):
        inserted.setdefault(place, []).append(placeholder)
    parts: list[str] = []  # words, each after the text between it and the one before
    links: list[tuple[int, int]] = []
    moved: list[int] = []
    count = end = 0
    for place in range(len(own) + 1):
        if place:
            begin, after = own[place - 1]
            word, gap = candidate.text[begin:after], candidate.text[end:begin] if parts else ""
            parts += [gap or (_gap(parts, word, dense) if inserted.get(place - 1) else ""), word]
            moved.append(count)
            count, end = count + 1, after
        for placeholder in inserted.get(place, []):
            gap, tail = _gap(parts, placeholder.text, dense), placeholder.closing
            if parts and tail and parts[-1].endswith(tail) and parts[-1] != tail and not dense:
                parts[-1] = parts[-1].removesuffix(tail)
            else:
                tail = ""
            links += [(placeholder.number, count + word) for word in range(len(words(placeholder.text, language)))]
            parts += [gap, placeholder.text + tail]
            count += len(words(placeholder.text + tail, language))
    links += [(taken.numbers[source], moved[target]) for source, target in candidate.alignment or ()]
    return candidate._replace(text="".join(parts), alignment=tuple(sorted(links)))


def _linked(candidate: Candidate, numbers: Sequence[int]) -> Candidate:
    """With the numbers of source words in another text, if there are any."""
    if not candidate.alignment or not numbers:
        return candidate
    return candidate._replace(
        alignment=tuple(sorted({(numbers[source], target) for source, target in candidate.alignment}))
    )


def _in_order(places: Sequence[int], placeholders: Sequence[Placeholder]) -> list[int]:
    """The places, those of placeholders that take the next value (`%s`) in their order."""
    ordered = list(places)
    numbers = [number for number, one in enumerate(placeholders) if takes_next(one.text)]
    for number, place in zip(numbers, sorted(places[number] for number in numbers), strict=True):
        ordered[number] = place
    return ordered


def _gap(parts: Sequence[str], text: str, dense: bool) -> str:
    """What parts a text from those before it: a space, where words are not spaced only between Latin letters."""
    latin = all(one.isascii() and one.isalnum() for one in (parts[-1][-1:], text[:1])) if parts else False
    return " " if parts and (latin or not dense) else ""


def _place(before: int, count: int, targets: Mapping[int, list[int]], longest: int) -> int:
    """After how many words of the translation a placeholder goes that follows `before` of `count` source words.

    After the translation of the nearest aligned word before it, or before that of the nearest one after it; without any
    alignment, at the same share of the length.
    """
    left, right = range(before - 1, -1, -1), range(before, count)
    for one, other in zip_longest(left, right):
        if one in targets:
            return max(targets[one]) + 1
        if other in targets:
            return min(targets[other])
    return round(longest * before / max(1, count))


def _strangers(
    line: str, language: str, strange: Callable[[str], bool], symbols_only: bool
) -> Iterator[tuple[int, int]]:
    """Where strange words and symbols begin and end."""
    for first, last in _units(line, unspaced(language)):
        unit = line[first:last]
        masks = not symbols_only or not any(map(str.isalnum, unit))
        if masks and strange(unit):
            yield first, last


def merged(places: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The places in order; neighbours without a space between them are one."""
    begin = end = -1
    for first, last in sorted(places):
        if begin >= 0 and first > end:
            yield begin, end
        begin, end = (first, last) if begin < 0 or first > end else (begin, max(end, last))
    if begin >= 0:
        yield begin, end


def _units(line: str, dense: bool) -> Iterator[tuple[int, int]]:
    """Where words (characters, where they are not spaced) and single symbols begin and end, with what joins them."""
    begin = -1
    for place, character in enumerate(chain(line, " ")):
        if begin >= 0 and not _joins(line, begin, place, character, dense):
            yield begin, place
            begin = -1
        if begin < 0 and not character.isspace():
            begin = place


def _joins(line: str, begin: int, place: int, character: str, dense: bool) -> bool:
    """Whether a character belongs to the word or symbol before it, which begins at `begin`."""
    before, after = line[place - 1], line[place + 1 : place + 2]
    if unicodedata.category(character)[0] == "M" or JOINER in (before, character):
        return True
    if dense or not line[begin].isalnum():
        return False
    return character.isalnum() or (character in INSIDE and after.isalnum() and before not in INSIDE)


def _closing(line: str, begin: int) -> str:
    """The punctuation that a line has from there on."""
    end = begin
    while end < len(line) and unicodedata.category(line[end]) in ("Po", "Pe", "Pf"):
        end += 1
    return line[begin:end]
