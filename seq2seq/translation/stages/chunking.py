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
PORTION = 1 << 19  # characters that are under way together; a chunk of more goes in several portions


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


def split_into_chunks(lines: Iterable[str | Line], language: str, longest: int, apart: bool = False) -> Iterator[Chunk]:
    """Splits lines into chunks; a line of more than `longest` characters into segments of at most that size.

    A segment ends where one of the line's windows ends, so its sentences are those of the line. The prefix belongs to
    the first segment; required phrases may occur in any. `apart`: sentences become segments too, because the model has
    no piece for the marks that end them, and they could not be found later.
    """
    here: list[Line] = []
    ends: list[Line | None] = []
    held, broken = 0, set[int]()
    for one in lines:
        line = one if isinstance(one, Line) else Line(one)
        for stretch, last, sentence in _stretches(line, language, longest, apart):
            if here and held + len(stretch.text) > PORTION:
                yield Chunk(here, ends, False, frozenset(broken))
                here, ends, held, broken = [], [], 0, set()
            if not sentence:
                broken.add(len(here))
            here.append(stretch)
            ends.append(line if last else None)
            held += len(stretch.text)
    yield Chunk(here, ends, True, frozenset(broken))


def _stretches(line: Line, language: str, longest: int, apart: bool) -> Iterator[tuple[Line, bool, bool]]:
    """The segments of a line, whether the line ends with them, and whether a sentence does."""
    if len(line.text) > longest:
        cut = windows(line.text, language, longest)
    elif apart and not line.required:
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
    begun: list[tuple[str, Translation]] = []
    broken = False
    for portion, texts, translations in finished:
        for number, (line, text, translation) in enumerate(zip(portion.lines, texts, translations, strict=True)):
            begun.append((text, translation))
            broken = broken or number in portion.broken
            if line is not None:
                chunk.append(translation if len(begun) == 1 else _whole(line, begun, broken, source, target))
                begun, broken = [], False
        if portion.whole:
            yield chunk
            chunk = []


def _whole(
    line: Line, stretches: Sequence[tuple[str, Translation]], broken: bool, source: str, target: str
) -> Translation:
    """A giant line's translation from those of its segments: the best of each, joined."""
    said = {note for _, one in stretches for note in one.notes} - {Status.BLANK, Status.EMPTY}
    spoken = [number for number, (_, one) in enumerate(stretches) if one.best]
    if not spoken:
        return Translation("", 0.0, Status.BLANK, (), (Status.BLANK,))
    best = [stretches[number][1].best[0] for number in spoken]
    begins: list[int] = []
    if best[0].alignment is not None:
        every = beginnings([text for text, _ in stretches], source)
        begins = [every[number] for number in spoken]
    seams = {place for place in range(len(spoken) - 1) if _copied_across(stretches, *spoken[place : place + 2])}
    result = together(best, begins, target, seams)
    said |= ({Status.SPLIT} if broken else set()) | ({Status.EMPTY} if not result.text.strip() else set())
    said |= {Status.UNMET} if not line.met_by(result.text, target) else set()
    notes, seconds = most_serious(said), sum(one.seconds for _, one in stretches)
    return Translation(result.text, result.score, notes[0] if notes else Status.OK, (result,), notes, seconds)


def _copied_across(stretches: Sequence[tuple[str, Translation]], before: int, behind: int) -> bool:
    """Whether copied text continues across a cut, so that no space belongs there."""
    (end, one), (beginning, other) = stretches[before], stretches[behind]
    copied = Status.UNKNOWN in one.notes and Status.UNKNOWN in other.notes and behind == before + 1
    return copied and one.text.endswith(end[-SEAM:]) and other.text.startswith(beginning[:SEAM])


def joined(
    answers: Sequence[SegmentResult],
    text: str,
    begins: Sequence[int],
    broken: bool,
    source: str,
    order: DecodeOptions,
    tokenizer: Tokenizer,
) -> Translation:
    """A line's translation: of one part all that was found, of several the best ones one after the other.

    text: the line, in the language `source`. begins: the number of each part's first source word, where alignments are
    asked for. broken: whether a cut went through a sentence.
    """
    if not answers:
        return Translation("", 0.0, Status.BLANK, (), (Status.BLANK,))
    if len(answers) == 1:
        best = candidates(answers[0], order, tokenizer)
    else:
        firsts = [SegmentResult(answer.hypotheses[:1], answer.details[:1]) for answer in answers]
        parts = [one for first in firsts for one in candidates(first, order, tokenizer)]
        best = (together(parts, begins, order.target),)
    said = line_statuses(answers, text, best[0].text, (source, order.target), broken)
    seconds = sum(answer.seconds for answer in answers)
    return Translation(*best[0][:2], said[0] if said else Status.OK, best, said, seconds)


def candidates(answer: SegmentResult, order: DecodeOptions, tokenizer: Tokenizer) -> tuple[Candidate, ...]:
    """What was found for a part as text, with all that is asked for."""
    texts = tokenizer.decode([one.tokens for one in answer.hypotheses], order.target)
    if not answer.details:
        return tuple(
            Candidate(clean(text), one.score, ranking=_ranking(one))
            for text, one in zip(texts, answer.hypotheses, strict=True)
        )
    return tuple(
        Candidate(
            clean(text),
            one.score,
            _tokens(one, detail, tokenizer) if order.tokens else (),
            detail.alignment,
            _ranking(one),
        )
        for text, one, detail in zip(texts, answer.hypotheses, answer.details, strict=True)
    )


def gap(before: str, behind: str, language: str) -> str:
    """The text between two sentences: a space, also in Thai and similar languages, but not in Chinese or Japanese.

    There a space separates Latin letters, which were copied.
    """
    if usual := writing(language).gap:
        return usual
    return " " if before[-1:].isascii() and behind[:1].isascii() and before and behind[:1].isalnum() else ""


def _ranking(one: Hypothesis) -> float | None:
    return None if math.isnan(one.normalised) else one.normalised


def clean(text: str) -> str:
    """Text that is one line and can be written as UTF-8: a line end becomes a space, half a surrogate pair U+FFFD."""
    return text.replace("\n", " ").encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _tokens(found: Hypothesis, detail: Detail, tokenizer: Tokenizer) -> tuple[Token, ...]:
    pieces = tokenizer.pieces([*found.tokens, EOS] if found.finished else found.tokens)
    return tuple(Token(piece, score) for piece, score in zip(pieces, detail.scores, strict=True))


def together(
    parts: Sequence[Candidate], begins: Sequence[int], language: str, seams: Collection[int] = ()
) -> Candidate:
    """Joins the translations of adjacent segments; `seams`: those without a space after them."""
    texts = [part.text for part in parts]
    for number, (before, behind) in enumerate(pairwise(texts)):
        texts[number] += "" if number in seams else gap(before, behind, language)
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
