"""Segments to hypotheses, one batch at a time, with their details and statuses."""

import math
import time
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import NamedTuple

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

TIDY = 8_000  # source tokens: some batches, each of which takes a hundred times as long as giving memory back


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


Parts = Sequence[Segment]
Found = list[SegmentResult]


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
        self.among = shortlist_search(shortlist, search, model, dtype, device)
        self.searched = 0  # tokens since memory was given back

    @torch.inference_mode()
    def __call__(self, parts: Parts, order: DecodeOptions) -> Found:
        """The answer to each part."""
        assert not getattr(self.model, "training", False), "dropout would translate differently every time"
        began = time.perf_counter()
        result = self._found(parts, order)
        repaired = self._repaired(parts, order, result) if self.repair else set()
        unattended = self._unattended(parts, order, result)
        answers = [SegmentResult(hypotheses) for hypotheses in result]
        if order.tokens or any(part.spans for part in parts):
            answers = self._detailed(parts, result, order)
        self._normalise(sum(len(part.ids) for part in parts))
        seconds = (time.perf_counter() - began) / len(parts)
        return [
            answer._replace(
                notes=self._notes(part, answer, number in repaired, number in unattended, order), seconds=seconds
            )
            for number, (part, answer) in enumerate(zip(parts, answers, strict=True))
        ]

    def _normalise(self, tokens: int) -> None:
        """Returns memory to the system regularly: otherwise a long-running process would keep more and more of it."""
        self.searched += tokens
        if self.searched > TIDY and self.device.type == "cpu":
            self.searched = 0
            release_memory()

    def _found(self, parts: Parts, order: DecodeOptions) -> list[list[Hypothesis]]:
        """Each part's hypotheses, best first, no text twice among them."""
        result = self._searched(parts, order)
        if not (isinstance(self.search, HasNBest) and self.search.n_best > 1):
            return result
        lists = [distinct(one, self._texts(one, order.target)) for one in result]
        short = [row for row, one in enumerate(lists) if len(one) < len(result[row])]
        if short:
            more = self._extended._searched([parts[row] for row in short], order)
            for row, others in zip(short, more, strict=True):
                both = followed(lists[row], others)
                lists[row] = distinct(both, self._texts(both, order.target))[: self.search.n_best]
        return lists

    @cached_property
    def _extended(self) -> "Searcher":
        """The same with a wider search."""
        assert isinstance(self.search, HasNBest)
        wider = copy(self)
        wider.search = self.search.extended()
        wider.among = self.among and self.among.with_search(wider.search)
        return wider

    def _texts(self, hypotheses: Sequence[Hypothesis], target: str) -> list[str]:
        return self.tokenizer.decode([one.tokens for one in hypotheses], target)

    def _searched(self, parts: Parts, order: DecodeOptions) -> list[list[Hypothesis]]:
        """What the search finds for each part, best first. ModelError where the model computes no numbers."""
        request = self.request(parts, order)
        with autocast(self.dtype, self.device):
            if self.among is not None and self.among.knows(order.target):
                result = self.among(request, [part.ids for part in parts], order.target)
            else:
                result = self.search(self.model.start, self.model.step, request)
        if not all(result) or any(math.isnan(row[0].score) for row in result):
            raise ModelError(
                "the model computes no finite numbers: its weights are damaged; copy the model folder again"
            )
        if isinstance(self.search, Reranker):
            result = [self._reranked(self.search, hypotheses, order.target) for hypotheses in result]
        return result

    def _repaired(self, parts: Parts, order: DecodeOptions, found: list[list[Hypothesis]]) -> set[int]:
        """Searches again where that is needed; the numbers of the parts whose hypotheses it could replace."""
        assert self.repair is not None
        needed = [row for row, part in enumerate(parts) if self.repair.needed(part.ids, found[row][0])]
        if not needed:
            return set()
        again = self._found([parts[row] for row in needed], order._replace(no_repeat_ngram=self.repair.no_repeat_ngram))
        better = {
            row: new
            for row, new in zip(needed, again, strict=True)
            if self.repair.better(parts[row].ids, found[row][0], new[0])
        }
        for row, new in better.items():
            found[row] = new
        return set(better)

    def _unattended(self, parts: Parts, order: DecodeOptions, found: list[list[Hypothesis]]) -> set[int]:
        """The numbers of the parts much of which nothing in a rather short translation looked at."""
        lengths = order.lengths
        rows = [row for row, part in enumerate(parts) if lengths.doubtful(len(part.ids), len(found[row][0].tokens))]
        if not rows or lengths.attended is None or not self.aligns():
            return set()
        pairs = [TokenPair(parts[row].ids, found[row][0].tokens, found[row][0].finished) for row in rows]
        with autocast(self.dtype, self.device):
            shares = attention_shares(self.forcing, pairs, self.tokenizer.tag_id(order.target), self.device)
        return {row for row, share in zip(rows, shares, strict=True) if share < lengths.attended}

    def _notes(
        self, part: Segment, answer: SegmentResult, repaired: bool, unattended: bool, order: DecodeOptions
    ) -> tuple[Status, ...]:
        """The statuses of a segment, except those that depend on its text."""
        best = answer.hypotheses[0]
        foreign = self.languages is not None and self.languages.foreign(best.tokens, order.target)
        short = len(best.tokens) < order.lengths.fewest(len(part.ids))
        said = {
            Status.REPAIRED: repaired,
            Status.OFF_TARGET: foreign,
            Status.INCOMPLETE: short or unattended,
            Status.TRUNCATED: not best.finished,
        }
        return tuple(status for status, true in said.items() if true)

    def _detailed(self, parts: Parts, found: list[list[Hypothesis]], order: DecodeOptions) -> Found:
        """The hypotheses with what else is asked about them."""
        asked = [bool(order.tokens or part.spans) for part in parts]
        pairs = [
            TokenPair(part.ids, one.tokens, one.finished, part.spans)
            for part, hypotheses, wanted in zip(parts, found, asked, strict=True)
            for one in hypotheses
            if wanted
        ]
        aligned = any(part.spans for part in parts)
        with autocast(self.dtype, self.device):
            told = iter(details(self.forcing, self.tokenizer, pairs, order.target, aligned, self.device))
        return [
            SegmentResult(hypotheses, [next(told) for _ in hypotheses] if wanted else ())
            for hypotheses, wanted in zip(found, asked, strict=True)
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
        """Which target-side ids go on with the word before them: letters, or bytes that may be some."""
        listed = self.tokenizer.listed("target")
        within = [one.kind == "byte" or (one.kind == "piece" and goes_on(one.text)) for one in listed]
        return torch.tensor([within], device=self.device)

    @cached_property
    def forcing(self) -> TeacherForcing:
        """Reads given translations with the network. Raises ConfigError where there is no model inside."""
        return TeacherForcing(self.model)

    def check_tokens(self) -> None:
        """Raises ConfigError if the search's scores are not sums over tokens."""
        assert self.forcing

    def request(self, parts: Parts, order: DecodeOptions) -> Request:
        """The parts as a padded batch, the target language's tag before each."""
        tag = self.tokenizer.tag_id(order.target)
        source, mask = padded([symbols.framed(tag, part.ids) for part in parts], self.device)
        return Request(
            source,
            mask,
            torch.full((len(parts),), tag, device=self.device),
            self.forbidden,
            prefixes=[part.prefix for part in parts] if any(part.prefix for part in parts) else (),
            required=[part.required for part in parts] if any(part.required for part in parts) else (),
            banned=[part.banned for part in parts] if any(part.banned for part in parts) else (),
            complete=[part.complete for part in parts] if any(part.complete for part in parts) else (),
            continuing=self.continuing if any(part.complete for part in parts) else None,
            no_repeat_ngram=order.no_repeat_ngram,
            ending=getattr(self.model, "ending", None),
        )

    def _reranked(self, search: Reranker, hypotheses: list[Hypothesis], target: str) -> list[Hypothesis]:
        """In the order of the search, which ranks by something else than the model's scores."""
        texts = self._texts(hypotheses, target)
        return [hypotheses[number]._replace(normalised=math.nan) for number in search.rerank(texts, target)]
