"""Lines to lines: a model, its tokenizer and a search as one translator."""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import NamedTuple

import torch

from seq2seq.data.prefetch import prefetch
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.search.base import Search
from seq2seq.translation.joining import clean, joined
from seq2seq.translation.lines import growing
from seq2seq.translation.searching import AtOnce, Found, Network, Order, Part, Searcher, Searching, searching
from seq2seq.translation.splitting import Cut, rows
from seq2seq.translation.translation import Translation
from seq2seq.translation.words import beginnings, source_spans

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # no corpus teaches them
SHORTEST_LIMIT = 16  # tokens; any one character has fewer


class Translator:
    """Translates lines in the directions that the model was trained on.

    model: in evaluation mode, on `device`. longest_source: tokens of a line; longer ones are split. batch_tokens:
    source tokens of a batch, padding included. dtype: of the large products (`seq2seq.device.precision`).
    """

    def __init__(
        self,
        model: Network,
        tokenizer: Tokenizer,
        search: Search,
        directions: Sequence[tuple[str, str]],
        longest_source: int,
        batch_tokens: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        if longest_source < SHORTEST_LIMIT:
            raise ConfigError(f"longest_source: expected at least {SHORTEST_LIMIT} tokens, got {longest_source}")
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens: expected a positive int, got {batch_tokens}")
        self.tokenizer = tokenizer
        self.directions = list(directions)
        self.longest_source = longest_source
        self.batch_tokens = batch_tokens
        self.searcher = Searcher(model, search, tokenizer, dtype, device)
        self._searching: Searching = AtOnce(self.searcher)

    @contextmanager
    def in_processes(self, count: int) -> Iterator[None]:
        """Inside, so many processes translate side by side, where that is possible; the translations are the same."""
        self._searching = searching(self.searcher, count)
        try:
            yield
        finally:
            self._searching.close()
            self._searching = AtOnce(self.searcher)

    def translate(
        self, lines: Iterable[str], source: str, target: str, tokens: bool = False, alignments: bool = False
    ) -> Iterator[Translation]:
        """One translation a line, in order; `source` and `target` are languages.

        tokens, alignments: whether to tell them too (see Candidate). The first lines come out before the last ones are
        read, and memory does not grow with their number.
        Raises ConfigError at once where the model was not trained on the direction, or cannot align.
        """
        chunks = self.translate_chunks(growing(lines), source, target, tokens, alignments)
        return (translation for chunk in chunks for translation in chunk)

    def translate_chunks(
        self,
        chunks: Iterable[Sequence[str]],
        source: str,
        target: str,
        tokens: bool = False,
        alignments: bool = False,
    ) -> Iterator[list[Translation]]:
        """The same, chunk by chunk; the lines of a chunk are sorted and batched among themselves."""
        self.check(source, target)
        order = Order(target, tokens=tokens, alignments=alignments)
        if alignments:
            self.searcher.forcing.check()
        begun = (self._begin(lines, source, order) for lines in chunks)
        ahead = self._searching.ahead
        return (self._finish(promises, order) for promises in (prefetch(begun, ahead) if ahead else begun))

    def check(self, source: str, target: str) -> None:
        """Raises ConfigError with what is allowed, where the model was not trained on this direction."""
        if (source, target) not in self.directions:
            known = ", ".join(f"{one}-{other}" for one, other in self.directions)
            raise ConfigError(f"source={source} target={target}: this model translates {known}; choose one of these")

    def _begin(self, lines: Sequence[str], source: str, order: Order) -> "Promises":
        """Hand in a chunk's parts; similar lengths are searched together, the longest first."""
        texts = [seen(line) for line in lines]
        found = rows(texts, lambda units: self.tokenizer.encode(units, source, "source"), self.longest_source)
        parts = [self._part(cut, source, order) for row in found for cut in row]
        longest = sorted(range(len(parts)), key=lambda part: -len(parts[part].ids))
        batches = list(self._batches(longest, parts))
        promised = [self._searching.submit([parts[part] for part in batch], order) for batch in batches]
        begins = [beginnings([cut.text for cut in row], source) if order.alignments else [] for row in found]
        return Promises([len(row) for row in found], begins, batches, promised)

    def _part(self, cut: Cut, source: str, order: Order) -> Part:
        spans = source_spans(self.tokenizer, cut.text, source) if order.alignments else ()
        return Part(cut.ids, spans=spans)

    def _finish(self, promises: "Promises", order: Order) -> list[Translation]:
        """The translations of a chunk's lines."""
        answers = {
            part: answer
            for batch, found in zip(promises.batches, promises.found, strict=True)
            for part, answer in zip(batch, found.result(), strict=True)
        }
        remaining = iter(answers[part] for part in range(sum(promises.lengths)))
        return [
            joined([next(remaining) for _ in range(length)], begins, order, self.tokenizer)
            for length, begins in zip(promises.lengths, promises.begins, strict=True)
        ]

    def _batches(self, order: list[int], parts: list[Part]) -> Iterator[list[int]]:
        """Neighbours in `order` whose padded rows have at most `batch_tokens` tokens together."""
        batch: list[int] = []
        for part in order:
            if batch and (len(parts[batch[0]].ids) + 2) * (len(batch) + 1) > self.batch_tokens:
                yield batch
                batch = []
            batch.append(part)
        if batch:
            yield batch


class Promises(NamedTuple):
    """A chunk under way: how many parts each line has, where they begin, each batch's parts, the batches' promises."""

    lengths: list[int]
    begins: list[list[int]]
    batches: list[list[int]]
    found: "list[Future[Found]]"


def seen(line: str) -> str:
    """What a model sees of a line: controls and line separators are spaces, a byte order mark inside a file is none."""
    return CONTROL.sub(" ", clean(line).removeprefix("\ufeff"))
