"""Segments to hypotheses, one batch at a time, with their details and statuses."""

import math
import time
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor

from seq2seq import special_tokens as symbols
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import autocast, release_memory
from seq2seq.errors import ConfigError, ModelError
from seq2seq.network.alignment import TeacherForcing
from seq2seq.network.state import AutoregressiveModel
from seq2seq.search.base import HasNBest, Hypothesis, Request, Reranker, Search
from seq2seq.translation.checks.completeness import Lengths, attention_shares
from seq2seq.translation.checks.language_id import LanguageIdentifier
from seq2seq.translation.checks.repair import Repair
from seq2seq.translation.details import Detail, TokenPair, details, padded
from seq2seq.translation.line import goes_on
from seq2seq.translation.nbest import distinct, followed
from seq2seq.translation.shortlist.search import shortlist_search
from seq2seq.translation.shortlist.shortlist import Shortlist
from seq2seq.translation.stages.words import Span
from seq2seq.translation.translation import Status

TOKENS_BETWEEN_RELEASES = 8_000  # source tokens; releasing memory takes a hundredth of the time of a batch


class Segment(NamedTuple):
    """A line or a part of one: its pieces, and constraints on its translation (see Request).

    `spans`: the words that each piece belongs to, if alignments are requested.
    """

    ids: Sequence[int]
    prefix: Sequence[int] = ()
    required: Sequence[Sequence[int]] = ()
    banned: Sequence[Sequence[int]] = ()
    complete: Sequence[Sequence[int]] = ()
    spans: Sequence[Span] = ()


class DecodeOptions(NamedTuple):
    """Options of a batch: target language, blocked n-grams, details to return.

    `lengths`: the usual lengths, to detect incomplete translations.
    """

    target: str
    no_repeat_ngram: int = 0
    tokens: bool = False
    alignments: bool = False
    lengths: Lengths = Lengths()


class SegmentResult(NamedTuple):
    """The hypotheses of a segment, best first, and their details (none, or one for each hypothesis).

    `notes`: its statuses. `seconds`: its share of the time of its batch.
    """

    hypotheses: list[Hypothesis]
    details: Sequence[Detail] = ()
    notes: tuple[Status, ...] = ()
    seconds: float = 0.0


Segments = Sequence[Segment]
Item = TypeVar("Item")
SegmentResults = list[SegmentResult]


class Searcher:
    """Searches one batch at a time.

    dtype: of the large products. repair: repeats searches of bad translations. languages: detects the wrong language.
    shortlist: restricts searches to candidate pieces, if the search supports it (see shortlist_search).
    """

    def __init__(
        self,
        model: AutoregressiveModel,
        search: Search,
        tokenizer: Tokenizer,
        dtype: torch.dtype,
        device: torch.device,
        repair: Repair | None = None,
        languages: LanguageIdentifier | None = None,
        shortlist: Shortlist | None = None,
    ) -> None:
        self.model = model
        self.search = search
        self.tokenizer = tokenizer
        self.forbidden = torch.tensor(tokenizer.never_generated, device=device)
        self.dtype = dtype
        self.device = device
        self.repair = repair
        self.languages = languages
        self.shortlist_search = shortlist_search(shortlist, search, model, dtype, device)
        self.searched = 0  # tokens since memory was given back

    @torch.inference_mode()
    def __call__(self, segments: Segments, options: DecodeOptions) -> SegmentResults:
        """The result of each segment."""
        assert not getattr(self.model, "training", False), "dropout would translate differently every time"
        began = time.perf_counter()
        result = self._found(segments, options)
        repaired = self._repaired(segments, options, result) if self.repair else set()
        unattended = self._unattended(segments, options, result)
        results = [SegmentResult(hypotheses) for hypotheses in result]
        if options.tokens or any(segment.spans for segment in segments):
            results = self._detailed(segments, result, options)
        self._release_memory(sum(len(segment.ids) for segment in segments))
        seconds = (time.perf_counter() - began) / len(segments)
        return [
            result._replace(
                notes=self._notes(part, result, number in repaired, number in unattended, options), seconds=seconds
            )
            for number, (part, result) in enumerate(zip(segments, results, strict=True))
        ]

    def _release_memory(self, tokens: int) -> None:
        """Returns memory to the system regularly: otherwise a long-running process would keep more and more of it."""
        self.searched += tokens
        if self.searched > TOKENS_BETWEEN_RELEASES and self.device.type == "cpu":
            self.searched = 0
            release_memory()

    def _found(self, segments: Segments, options: DecodeOptions) -> list[list[Hypothesis]]:
        """Each segment's hypotheses, best first, with different texts."""
        result = self._searched(segments, options)
        if not (isinstance(self.search, HasNBest) and self.search.n_best > 1):
            return result
        lists = [distinct(one, self._texts(one, options.target)) for one in result]
        short = [row for row, one in enumerate(lists) if len(one) < len(result[row])]
        if short:
            more = self._extended._searched([segments[row] for row in short], options)
            for row, others in zip(short, more, strict=True):
                both = followed(lists[row], others)
                lists[row] = distinct(both, self._texts(both, options.target))[: self.search.n_best]
        return lists

    @cached_property
    def _extended(self) -> "Searcher":
        """The same with a wider search."""
        assert isinstance(self.search, HasNBest)
        wider = copy(self)
        wider.search = self.search.extended()
        wider.shortlist_search = self.shortlist_search and self.shortlist_search.with_search(wider.search)
        return wider

    def _texts(self, hypotheses: Sequence[Hypothesis], target: str) -> list[str]:
        return self.tokenizer.decode([one.tokens for one in hypotheses], target)

    def _searched(self, segments: Segments, options: DecodeOptions) -> list[list[Hypothesis]]:
        """Each segment's hypotheses, best first. ModelError if the model computes no finite numbers."""
        request = self.request(segments, options)
        with autocast(self.dtype, self.device):
            if self.shortlist_search is not None and self.shortlist_search.knows(options.target):
                result = self.shortlist_search(request, [segment.ids for segment in segments], options.target)
            else:
                result = self.search(self.model.start, self.model.step, request)
        if not all(result) or any(math.isnan(row[0].score) for row in result):
            raise ModelError(
                "the model computes no finite numbers: its weights are damaged; copy the model folder again"
            )
        if isinstance(self.search, Reranker):
            result = [self._reranked(self.search, hypotheses, options.target) for hypotheses in result]
        return result

    def _repaired(self, segments: Segments, options: DecodeOptions, hypotheses: list[list[Hypothesis]]) -> set[int]:
        """Searches again where needed; returns the numbers of the segments with better hypotheses."""
        assert self.repair is not None
        needed = [row for row, segment in enumerate(segments) if self.repair.needed(segment.ids, hypotheses[row][0])]
        if not needed:
            return set()
        again = self._found(
            [segments[row] for row in needed], options._replace(no_repeat_ngram=self.repair.no_repeat_ngram)
        )
        better = {
            row: new
            for row, new in zip(needed, again, strict=True)
            if self.repair.better(segments[row].ids, hypotheses[row][0], new[0])
        }
        for row, new in better.items():
            hypotheses[row] = new
        return set(better)

    def _unattended(self, segments: Segments, options: DecodeOptions, hypotheses: list[list[Hypothesis]]) -> set[int]:
        """The numbers of the segments with a rather short translation that leaves much of them without attention."""
        lengths = options.lengths
        rows = [
            row
            for row, segment in enumerate(segments)
            if lengths.doubtful(len(segment.ids), len(hypotheses[row][0].tokens))
        ]
        if not rows or lengths.attended is None or not self.aligns():
            return set()
        pairs = [TokenPair(segments[row].ids, hypotheses[row][0].tokens, hypotheses[row][0].finished) for row in rows]
        with autocast(self.dtype, self.device):
            shares = attention_shares(self.forcing, pairs, self.tokenizer.tag_id(options.target), self.device)
        return {row for row, share in zip(rows, shares, strict=True) if share < lengths.attended}

    def _notes(
        self, segment: Segment, result: SegmentResult, repaired: bool, unattended: bool, options: DecodeOptions
    ) -> tuple[Status, ...]:
        """The statuses of a segment, except those that depend on its text."""
        best = result.hypotheses[0]
        foreign = self.languages is not None and self.languages.foreign(best.tokens, options.target)
        short = len(best.tokens) < options.lengths.fewest(len(segment.ids))
        conditions = {
            Status.REPAIRED: repaired,
            Status.OFF_TARGET: foreign,
            Status.INCOMPLETE: short or unattended,
            Status.TRUNCATED: not best.finished,
        }
        return tuple(status for status, true in conditions.items() if true)

    def _detailed(self, segments: Segments, found: list[list[Hypothesis]], options: DecodeOptions) -> SegmentResults:
        """The hypotheses with the requested details."""
        requested = [bool(options.tokens or segment.spans) for segment in segments]
        pairs = [
            TokenPair(segment.ids, one.tokens, one.finished, segment.spans)
            for segment, hypotheses, needed in zip(segments, found, requested, strict=True)
            for one in hypotheses
            if needed
        ]
        aligned = any(segment.spans for segment in segments)
        with autocast(self.dtype, self.device):
            results = iter(details(self.forcing, self.tokenizer, pairs, options.target, aligned, self.device))
        return [
            SegmentResult(hypotheses, [next(results) for _ in hypotheses] if needed else ())
            for hypotheses, needed in zip(found, requested, strict=True)
        ]

    def aligns(self) -> bool:
        """Whether the model has attention from which alignments can be read."""
        try:
            self.forcing.check()
        except ConfigError:
            return False
        return True

    @cached_property
    def continuing(self) -> Bool[Tensor, "1 vocabulary"]:
        """The target ids that continue a word: letters, or bytes of letters."""
        listed = self.tokenizer.listed("target")
        within = [one.kind == "byte" or (one.kind == "piece" and goes_on(one.text)) for one in listed]
        return torch.tensor([within], device=self.device)

    @cached_property
    def forcing(self) -> TeacherForcing:
        """Scores given translations. Raises ConfigError if the network contains no model."""
        return TeacherForcing(self.model)

    def check_tokens(self) -> None:
        """Raises ConfigError if the search's scores are not sums over tokens."""
        assert self.forcing

    def request(self, segments: Segments, options: DecodeOptions) -> Request:
        """The segments as a padded batch, each after the target language's tag."""
        tag = self.tokenizer.tag_id(options.target)
        complete = _constraints([segment.complete for segment in segments])
        source, mask = padded([symbols.framed(tag, segment.ids) for segment in segments], self.device)
        return Request(
            source,
            mask,
            torch.full((len(segments),), tag, device=self.device),
            self.forbidden,
            prefixes=_constraints([segment.prefix for segment in segments]),
            required=_constraints([segment.required for segment in segments]),
            banned=_constraints([segment.banned for segment in segments]),
            complete=complete,
            continuing=self.continuing if complete else None,
            no_repeat_ngram=options.no_repeat_ngram,
            ending=getattr(self.model, "ending", None),
        )

    def _reranked(self, search: Reranker, hypotheses: list[Hypothesis], target: str) -> list[Hypothesis]:
        """In the order of the search, which ranks by something else than the model's scores."""
        texts = self._texts(hypotheses, target)
        return [hypotheses[number]._replace(normalised=math.nan) for number in search.rerank(texts, target)]


def _constraints(rows: list[Item]) -> Sequence[Item]:
    """The constraints of a batch; none at all if no segment has any."""
    return rows if any(rows) else ()
