"""How probable given translations are to a translator: log-probabilities a token and line."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

import torch

from seq2seq.config.typecheck import check_lines
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer
from seq2seq.data.tokenizer.traced_text import TracedText
from seq2seq.device import autocast
from seq2seq.errors import ConfigError
from seq2seq.special_tokens import EOS
from seq2seq.translation.details import Detail, Pair, details
from seq2seq.translation.stages.words import Span, numbers, text_spans
from seq2seq.translation.translation import Token
from seq2seq.translation.translator import Translator


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
        pairs = [Pair(encoded[0][row], encoded[1][row], True) for row in rows]
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
    def _read(self, pairs: Sequence[Pair], target: str, alignments: bool) -> list[Detail]:
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
