"""How probable given translations are to a translator: log-probabilities a token and line."""

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from seq2seq.config.typecheck import check_lines
from seq2seq.data.corpus.misalignment import parting
from seq2seq.data.tokenizer.canonical import TracedText
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer
from seq2seq.device import autocast
from seq2seq.errors import ConfigError, DataError
from seq2seq.io.text import FIRST_CHUNK, LARGEST_CHUNK, reading, writing
from seq2seq.special_tokens import EOS
from seq2seq.translation.details import Detail, TokenPair, details
from seq2seq.translation.formats import pharaoh
from seq2seq.translation.stages.words import Span, numbers, text_spans
from seq2seq.translation.translation import Token
from seq2seq.translation.translator import Translator

Chunks = Iterator[list[tuple[str, str]]]


class Scored(StrEnum):
    """What became of a pair."""

    OK = "ok"
    BLANK = "blank"  # the line or its translation is blank
    TOO_LONG = "too-long"  # the line or its translation has more tokens than allowed


class PairScore(NamedTuple):
    """A pair's score: the tokens of the translation with their log-probabilities in nats, EOS the last.

    alignment: pairs of numbers of source words and target words, where asked for. Both are empty of a pair that was not
    scored.
    """

    status: Scored
    tokens: tuple[Token, ...] = ()
    alignment: tuple[tuple[int, int], ...] | None = None

    @property
    def log_probability(self) -> float:
        """Of the whole translation given the line, in nats: the sum over its tokens."""
        return sum((token.score for token in self.tokens), 0.0)


class PairScorer:
    """Scores pairs of lines with a translator's model, the translation read with all its tokens at once.

    max_length: tokens that a line, or its translation, may have. Where a translation has several segmentations, its
    score is that of the tokenizer's choice; a search may have found it by another one. Raises ConfigError.
    """

    def __init__(self, translator: Translator, max_length: int) -> None:
        if max_length < 1:
            raise ConfigError(f"max_length: expected a positive int, got {max_length}")
        self.translator, self.max_length = translator, max_length

    def score(
        self, chunks: Iterable[Sequence[tuple[str, str]]], source: str, target: str, alignments: bool = False
    ) -> Iterator[list[PairScore]]:
        """The scores of chunks of pairs (line, translation), chunk by chunk, in order.

        Raises ConfigError at once for a direction that the model does not know, and where it cannot align.
        """
        check_lines(chunks, "chunks")
        source, target = self.translator.direction(source, target)
        if alignments:
            self.translator.searcher.forcing.check()
        return (self._chunk(chunk, source, target, alignments) for chunk in chunks)

    def _chunk(self, chunk: Sequence[tuple[str, str]], source: str, target: str, alignments: bool) -> list[PairScore]:
        tokenizer = self.translator.tokenizer
        lines = [tokenizer.read(line, "source") for line, _ in chunk]
        translations = [tokenizer.read(translation, "target") for _, translation in chunk]
        short = [
            [one.text if len(one.text) <= 64 * self.max_length else "" for one in side]
            for side in (lines, translations)
        ]
        encoded = tokenizer.encode(short[0], source, "source"), tokenizer.encode(short[1], target, "target")
        result = [
            PairScore(self._status(line.text, translation.text, *ids))
            for line, translation, *ids in zip(lines, translations, *encoded, strict=True)
        ]
        rows = [row for row, one in enumerate(result) if one.status is Scored.OK]
        pairs = [TokenPair(encoded[0][row], encoded[1][row], True) for row in rows]
        if alignments:
            pairs = [
                pair._replace(
                    spans=_spans(tokenizer, lines[row], chunk[row][0], source, "source"),
                    target_spans=_spans(tokenizer, translations[row], chunk[row][1], target, "target"),
                )
                for row, pair in zip(rows, pairs, strict=True)
            ]
        for row, pair, detail in zip(rows, pairs, self._read(pairs, target, alignments), strict=True):
            pieces = tokenizer.pieces([*pair.target, EOS])
            tokens = tuple(map(Token, pieces, detail.scores))
            result[row] = PairScore(Scored.OK, tokens, detail.alignment)
        return result

    @torch.inference_mode()
    def _read(self, pairs: Sequence[TokenPair], target: str, alignments: bool) -> list[Detail]:
        searcher = self.translator.searcher
        with autocast(searcher.dtype, searcher.device):
            return details(searcher.forcing, self.translator.tokenizer, pairs, target, alignments, searcher.device)

    def _status(self, line: str, translation: str, source: Sequence[int], target: Sequence[int]) -> Scored:
        if not line.strip() or not translation.strip():
            return Scored.BLANK
        too_long = max(len(source), len(target)) > self.max_length or not source or not target
        return Scored.TOO_LONG if too_long else Scored.OK


def _spans(tokenizer: Tokenizer, read: TracedText, given: str, language: str, side: Side) -> list[Span]:
    """Which words of a given line each piece holds of what was read of it."""
    own = numbers(read, given, language)
    result = text_spans(tokenizer, read.text, language, side)
    return [Span(own[span.begin], own[span.end - 1] + 1) for span in result]


class PairTotals(NamedTuple):
    """Sums over pairs; those that are blank or too long count nowhere else."""

    pairs: int = 0
    blank: int = 0
    too_long: int = 0
    nats: float = 0.0
    tokens: int = 0

    def plus(self, scores: Sequence[PairScore]) -> "PairTotals":
        """With some pairs more."""
        return PairTotals(
            self.pairs + len(scores),
            self.blank + sum(one.status is Scored.BLANK for one in scores),
            self.too_long + sum(one.status is Scored.TOO_LONG for one in scores),
            self.nats - sum(one.log_probability for one in scores),
            self.tokens + sum(len(one.tokens) for one in scores),
        )

    @property
    def perplexity(self) -> float:
        """Per token, EOS included."""
        return _perplexity(self.nats, self.tokens)

    def to_json(self) -> str:
        """The sums with what follows from them."""
        derived = {"nats_per_token": self.nats / max(1, self.tokens), "perplexity": self.perplexity}
        return json.dumps({**self._asdict(), **derived}, indent=1)

    def summary(self) -> str:
        """One line: how probable the translations are, and how many of them were scored."""
        scored = self.pairs - self.blank - self.too_long
        left = [f"{count:,} {name}" for count, name in ((self.blank, "blank"), (self.too_long, "too long")) if count]
        text = f"{scored:,} of {self.pairs:,} pairs scored" + (f" ({', '.join(left)})" if left else "")
        if not self.tokens:
            return text
        return (
            f"{text}: log-probability {-self.nats:,.1f} nats, {self.nats / self.tokens:.4f} nats per token, "
            f"perplexity {self.perplexity:.3f} over {self.tokens:,} tokens (each line's EOS included)"
        )


def score_pairs(
    scorer: PairScorer,
    source: str,
    target: str,
    input: Path | None,
    translations: Path | None,
    output: Path | None,
    output_format: Literal["text", "json"],
    alignments: Path | None,
) -> PairTotals:
    """Scores every pair into `output` (None: standard output), one line per pair.

    A pair is a line of `input` (None: standard input) and the same line of `translations`; without `translations` it is
    a line `source TAB translation` of `input`. `output_format`: `text` has log-probability in nats, perplexity per
    token and status, separated by tabs, the first two empty if there is no score; `json` an object with these and each
    token's log-probability. `alignments`: a file of word alignments (Pharaoh format). Standard error gets the totals,
    which are also returned. Raises ConfigError for a direction that the model does not know, DataError for a file that
    cannot be read or written, does not have two columns, or differs in its number of lines from the other.
    """
    totals = PairTotals()
    written = _as_json if output_format == "json" else _as_text
    first = FIRST_CHUNK if output is None else LARGEST_CHUNK
    with _pairs(input, translations, first) as chunks, ExitStack() as stack:
        write = stack.enter_context(writing(output))
        align = stack.enter_context(writing(alignments)) if alignments else None
        for scores in scorer.score(chunks, source, target, alignments is not None):
            write(map(written, scores))
            if align:
                align(pharaoh(score.alignment or ()) for score in scores)
            totals = totals.plus(scores)
    print(totals.summary(), file=sys.stderr)
    return totals


@contextmanager
def _pairs(input: Path | None, translations: Path | None, first: int) -> Iterator[Chunks]:
    """Chunks of pairs from one file, or two."""
    name = str(input or "standard input")
    with reading(input) as lines:
        if translations is None:
            yield _columns(lines.chunks(first), name)
            return
        with reading(translations) as others:
            yield _beside(lines.chunks(first), others.chunks(first), input, translations)


def _columns(chunks: Iterable[list[str]], name: str) -> Chunks:
    before = 0
    for chunk in chunks:
        rows = [tuple(line.split("\t")) for line in chunk]
        for number, row in enumerate(rows, before + 1):
            if len(row) != 2 and row != ("",):
                raise DataError(
                    f"{name}:{number}: expected `line TAB translation`, got {len(row)} columns; or give the "
                    "translations as a file of their own: translations=FILE"
                )
        before += len(rows)
        yield [(row[0], row[-1]) for row in rows]


def _beside(chunks: Iterable[list[str]], others: Iterable[list[str]], input: Path | None, translations: Path) -> Chunks:
    """Lines in the same place; chunks as large as those of the first file."""
    lines = chain.from_iterable(others)
    count = 0
    for chunk in chunks:
        rows = list(zip(chunk, lines, strict=False))
        if len(rows) < len(chunk):
            raise _unequal(input, count + len(chunk) + sum(map(len, chunks)), translations, count + len(rows))
        count += len(rows)
        yield rows
    if more := sum(1 for _ in lines):
        raise _unequal(input, count, translations, count + more)


def _unequal(input: Path | None, lines: int, translations: Path, others: int) -> DataError:
    where = f": {parting(input, translations)}" if input and input.is_file() and translations.is_file() else ""
    return DataError(
        f"{input or 'standard input'} has {lines:,} lines, {translations} {others:,}; a pair is a line of each{where}"
    )


def _perplexity(nats: float, tokens: int) -> float:
    try:
        return math.exp(nats / max(1, tokens))
    except OverflowError:
        return math.inf


def _as_text(score: PairScore) -> str:
    if score.status is not Scored.OK:
        return f"\t\t{score.status}"
    perplexity = _perplexity(-score.log_probability, len(score.tokens))
    return f"{score.log_probability:.4f}\t{perplexity:.4f}\t{score.status}"


def _as_json(score: PairScore) -> str:
    values: dict[str, object] = {"status": score.status}
    if score.status is Scored.OK:
        values["log_probability"] = round(score.log_probability, 4)
        values["perplexity"] = round(_perplexity(-score.log_probability, len(score.tokens)), 4)
        values["tokens"] = [[piece, round(value, 4)] for piece, value in score.tokens]
        if score.alignment is not None:
            values["alignment"] = pharaoh(score.alignment)
    return json.dumps(values, ensure_ascii=False)
