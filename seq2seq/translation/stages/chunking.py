"""Giant lines are translated in chunks, each like a line, so that memory does not grow with the length of a line."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from seq2seq.data.sentence_splitter import sentences
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.languages import writing
from seq2seq.search.base import Hypothesis
from seq2seq.special_tokens import EOS
from seq2seq.translation.details import Detail
from seq2seq.translation.line import Line
from seq2seq.translation.searcher import DecodeOptions, SegmentResult
from seq2seq.translation.stages.inline_tags import PLACEHOLDER, TAG
from seq2seq.translation.stages.segmentation import Window, windows
from seq2seq.translation.stages.words import beginnings
from seq2seq.translation.status import line_statuses, most_serious
from seq2seq.translation.translation import Candidate, Status, Token, Translation

SEAM = 32  # characters around a cut that show whether the text at the cut was copied
LONGEST_TAG = 500  # characters of a tag or placeholder that no cut divides
MAX_CHUNK = 1 << 19  # characters of a chunk, at most


class Chunk(NamedTuple):
    """Lines, or segments of giant lines, in order.

    lines: for each segment at the end of a line, that line; None for the others. whole: whether a batch of lines ends
    with the last segment. broken: the numbers of segments that end inside a sentence.
    """

    segments: list[Line]
    lines: list[Line | None]
    whole: bool
    broken: frozenset[int] = frozenset()


class TranslatedChunk(NamedTuple):
    """A chunk, the text of its segments, and their translations."""

    chunk: Chunk
    given: Sequence[str]
    translations: Sequence[Translation]


def split_into_chunks(
    lines: Iterable[str | Line], language: str, max_length: int, split_sentences: bool = False
) -> Iterator[Chunk]:
    """Splits lines into chunks; a line of more than `max_length` characters into segments of at most that size.

    A segment ends where one of the line's windows ends, so its sentences are those of the line. The prefix belongs to
    the first segment; required phrases may occur in any. `split_sentences`: sentences become segments too, because the
    model has no piece for the marks that end them, and they could not be found later.
    """
    segments: list[Line] = []
    ends: list[Line | None] = []
    size, broken = 0, set[int]()
    for one in lines:
        line = one if isinstance(one, Line) else Line(one)
        for segment, last, sentence in _segments(line, language, max_length, split_sentences):
            if segments and size + len(segment.text) > MAX_CHUNK:
                yield Chunk(segments, ends, False, frozenset(broken))
                segments, ends, size, broken = [], [], 0, set()
            if not sentence:
                broken.add(len(segments))
            segments.append(segment)
            ends.append(line if last else None)
            size += len(segment.text)
    yield Chunk(segments, ends, True, frozenset(broken))


def _segments(line: Line, language: str, max_length: int, split_sentences: bool) -> Iterator[tuple[Line, bool, bool]]:
    """The segments of a line, whether the line ends with them, and whether a sentence does."""
    if len(line.text) > max_length:
        cut = windows(line.text, language, max_length)
    elif split_sentences and not line.required:
        cut = (Window(one, True) for one in sentences(line.text, language) or [""])
    else:
        yield line, True, True
        return
    rest, end = line._replace(required=()), 0
    for text, whole in _between_tags(cut):
        end += len(text)
        yield rest._replace(text=text), end == len(line.text), whole
        rest = rest._replace(prefix="")


def _between_tags(cut: Iterable[Window]) -> Iterator[Window]:
    """The windows; a tag or placeholder at a window's end is moved to the next one."""
    before: Window | None = None
    for window in cut:
        if before is not None:
            tail = before.text[-LONGEST_TAG:]
            near = tail + window.text[:LONGEST_TAG]
            spans = [match.span() for pattern in (TAG, PLACEHOLDER) for match in pattern.finditer(near)]
            begin = min((begin for begin, end in spans if 0 < begin < len(tail) < end), default=len(tail))
            if moved := tail[begin:]:
                before, window = (
                    Window(before.text.removesuffix(moved), False),
                    Window(moved + window.text, window.whole),
                )
            yield before
        before = window
    if before is not None:
        yield before


def join_chunks(finished: Iterable[TranslatedChunk], source: str, target: str) -> Iterator[list[Translation]]:
    """The translations of each chunk's lines, from those of its segments."""
    chunk: list[Translation] = []
    pending: list[tuple[str, Translation]] = []
    broken = False
    for translated, texts, translations in finished:
        for number, (line, text, translation) in enumerate(zip(translated.lines, texts, translations, strict=True)):
            pending.append((text, translation))
            broken = broken or number in translated.broken
            if line is not None:
                chunk.append(translation if len(pending) == 1 else _join_line(line, pending, broken, source, target))
                pending, broken = [], False
        if translated.whole:
            yield chunk
            chunk = []


def _join_line(
    line: Line, segments: Sequence[tuple[str, Translation]], broken: bool, source: str, target: str
) -> Translation:
    """A giant line's translation from those of its segments: the best of each, joined."""
    statuses = {note for _, one in segments for note in one.notes} - {Status.BLANK, Status.EMPTY}
    nonempty = [number for number, (_, one) in enumerate(segments) if one.best]
    if not nonempty:
        return Translation("", 0.0, Status.BLANK, (), (Status.BLANK,))
    best = [segments[number][1].best[0] for number in nonempty]
    begins: list[int] = []
    if best[0].alignment is not None:
        every = beginnings([text for text, _ in segments], source)
        begins = [every[number] for number in nonempty]
    seams = {place for place in range(len(nonempty) - 1) if _copied_across(segments, *nonempty[place : place + 2])}
    result = join_candidates(best, begins, target, seams)
    statuses |= ({Status.SPLIT} if broken else set()) | ({Status.EMPTY} if not result.text.strip() else set())
    statuses |= {Status.UNMET} if not line.met_by(result.text, target) else set()
    notes, seconds = most_serious(statuses), sum(one.seconds for _, one in segments)
    return Translation(result.text, result.score, notes[0] if notes else Status.OK, (result,), notes, seconds)


def _copied_across(segments: Sequence[tuple[str, Translation]], before: int, after: int) -> bool:
    """Whether copied text continues across a cut, so that no space belongs there."""
    (end, one), (beginning, other) = segments[before], segments[after]
    copied = Status.UNKNOWN in one.notes and Status.UNKNOWN in other.notes and after == before + 1
    return copied and one.text.endswith(end[-SEAM:]) and other.text.startswith(beginning[:SEAM])


def join_segments(
    results: Sequence[SegmentResult],
    text: str,
    begins: Sequence[int],
    broken: bool,
    source: str,
    options: DecodeOptions,
    tokenizer: Tokenizer,
) -> Translation:
    """A line's translation: of one segment all candidates, of several the best ones joined.

    text: the line, in the language `source`. begins: the number of each segment's first source word, if alignments are
    requested. broken: whether a sentence was split.
    """
    if not results:
        return Translation("", 0.0, Status.BLANK, (), (Status.BLANK,))
    if len(results) == 1:
        best = candidates(results[0], options, tokenizer)
    else:
        best_ones = [SegmentResult(result.hypotheses[:1], result.details[:1]) for result in results]
        parts = [one for first in best_ones for one in candidates(first, options, tokenizer)]
        best = (join_candidates(parts, begins, options.target),)
    statuses = line_statuses(results, text, best[0].text, (source, options.target), broken)
    seconds = sum(result.seconds for result in results)
    return Translation(*best[0][:2], statuses[0] if statuses else Status.OK, best, statuses, seconds)


def candidates(result: SegmentResult, options: DecodeOptions, tokenizer: Tokenizer) -> tuple[Candidate, ...]:
    """The hypotheses of a segment as text, with the requested details."""
    texts = tokenizer.decode([one.tokens for one in result.hypotheses], options.target)
    if not result.details:
        return tuple(
            Candidate(clean(text), one.score, ranking=_ranking(one))
            for text, one in zip(texts, result.hypotheses, strict=True)
        )
    return tuple(
        Candidate(
            clean(text),
            one.score,
            _tokens(one, detail, tokenizer) if options.tokens else (),
            detail.alignment,
            _ranking(one),
        )
        for text, one, detail in zip(texts, result.hypotheses, result.details, strict=True)
    )


def gap(before: str, after: str, language: str) -> str:
    """The text between two sentences: a space, also in Thai and similar languages, but not in Chinese or Japanese.

    There a space separates Latin letters, which were copied.
    """
    if usual := writing(language).gap:
        return usual
    return " " if before[-1:].isascii() and after[:1].isascii() and before and after[:1].isalnum() else ""


def _ranking(one: Hypothesis) -> float | None:
    return None if math.isnan(one.normalised) else one.normalised


def clean(text: str) -> str:
    """Text that is one line and can be written as UTF-8: a line end becomes a space, half a surrogate pair U+FFFD."""
    return text.replace("\n", " ").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _tokens(hypothesis: Hypothesis, detail: Detail, tokenizer: Tokenizer) -> tuple[Token, ...]:
    pieces = tokenizer.pieces([*hypothesis.tokens, EOS] if hypothesis.finished else hypothesis.tokens)
    return tuple(Token(piece, score) for piece, score in zip(pieces, detail.scores, strict=True))


def join_candidates(
    parts: Sequence[Candidate], begins: Sequence[int], language: str, seams: Collection[int] = ()
) -> Candidate:
    """Joins the translations of adjacent segments; `seams`: those without a space after them."""
    texts = [part.text for part in parts]
    for number, (before, after) in enumerate(pairwise(texts)):
        texts[number] += "" if number in seams else gap(before, after, language)
    text = "".join(texts)
    tokens = tuple(token for part in parts for token in part.tokens)
    score = sum(part.score for part in parts)
    if parts[0].alignment is None:
        return Candidate(text, score, tokens)
    alignment = tuple(
        (source + begin, target + before)
        for part, begin, before in zip(parts, begins, beginnings(texts, language), strict=True)
        for source, target in part.alignment or ()
    )
    return Candidate(text, score, tokens, tuple(sorted(alignment)))
