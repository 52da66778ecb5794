"""The translation of a line from what was found for its parts."""

import math
from collections.abc import Collection, Sequence
from itertools import pairwise

from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.languages import writing
from seq2seq.search.base import Hypothesis
from seq2seq.special_tokens import EOS
from seq2seq.translation.details import Detail
from seq2seq.translation.searcher import DecodeOptions, SegmentResult
from seq2seq.translation.stages.words import beginnings
from seq2seq.translation.status import line_statuses
from seq2seq.translation.translation import Candidate, Status, Token, Translation


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
    """What stands between two sentences: a space, also in Thai and its like, but not in Chinese or Japanese.

    There it parts what is in Latin letters: it was copied.
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
    """Translations of neighbouring parts as one; `seams`: the numbers of those behind which nothing parts them."""
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
