"""Labels or numbers to lines of text: a generator with its tokenizer and a search."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

import torch

from seq2seq.data.corpus.base import Pair
from seq2seq.data.tokenizer.labelled_tokenizer import LabelledTokenizer
from seq2seq.device import autocast
from seq2seq.errors import ConfigError
from seq2seq.network.generator import Generator
from seq2seq.search.base import Hypothesis, Request, Reranker, Search


class GenerationStatus(StrEnum):
    """What became of a line."""

    OK = "ok"
    BLANK = "blank"  # nothing was asked for; the model never saw it
    UNKNOWN = "unknown"  # a label that training did not have, or not the numbers it had; the model never saw it
    EMPTY = "empty"  # the model found nothing to say
    TRUNCATED = "truncated"  # the text ran into the search's longest length


class Generated(NamedTuple):
    """One line's text, its log-probability in nats, its status; `best` is all that the search returned, best first."""

    text: str
    score: float
    status: GenerationStatus
    best: tuple[tuple[str, float], ...]


class LineGenerator:
    """Turns each line, a label or some numbers, into a line of text.

    model: in evaluation mode, on `device`. batch_size: lines searched together. Sampling draws for a line by its
    number in the input, so that equal lines get different text.
    """

    def __init__(
        self,
        model: Generator,
        tokenizer: LabelledTokenizer,
        search: Search,
        batch_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size: expected a positive int, got {batch_size}")
        self.model, self.tokenizer, self.search, self.batch_size = model, tokenizer, search, batch_size
        self.dtype, self.device = dtype, device
        self.language, self.label = tokenizer.languages
        self.first = tokenizer.tag_id(self.language)
        self.forbidden = torch.tensor(tokenizer.never_generated, device=device)

    def generate_chunks(self, chunks: Iterable[Sequence[str]]) -> Iterator[list[Generated]]:
        """The text for every line, chunk by chunk."""
        done = 0
        for lines in chunks:
            yield self._generate_chunk(lines, done)
            done += len(lines)

    def _generate_chunk(self, lines: Sequence[str], before: int) -> list[Generated]:
        """`before`: how many lines came before these."""
        result = [Generated("", 0.0, self._status(line), ()) for line in lines]
        valid = [number for number, one in enumerate(result) if one.status is GenerationStatus.OK]
        for start in range(0, len(valid), self.batch_size):
            numbers = valid[start : start + self.batch_size]
            texts = [lines[number] for number in numbers]
            lists = self._search(texts, [before + number for number in numbers])
            for number, hypotheses in zip(numbers, lists, strict=True):
                result[number] = self._generated(hypotheses)
        return result

    def _status(self, line: str) -> GenerationStatus:
        if not line.strip():
            return GenerationStatus.BLANK
        try:
            self.tokenizer.check(line, "")
        except ValueError:
            return GenerationStatus.UNKNOWN
        return GenerationStatus.OK

    @torch.inference_mode()
    def _search(self, lines: list[str], numbers: list[int]) -> list[list[Hypothesis]]:
        """Lines of labels, or of equally many numbers, so that nothing is padded."""
        assert not self.model.training, "dropout would say something else every time"
        source = torch.tensor(self.tokenizer.encode(lines, self.label, "source"), device=self.device)
        mask = torch.ones_like(source, dtype=torch.bool)
        first = torch.full((len(lines),), self.first, device=self.device)
        request = Request(source, mask, first, self.forbidden, torch.tensor(numbers, device=self.device))
        with autocast(self.dtype, self.device):
            return self.search(self.model.start, self.model.step, request)

    def _generated(self, hypotheses: list[Hypothesis]) -> Generated:
        decoded = self.tokenizer.decode([one.tokens for one in hypotheses], self.language)
        if isinstance(self.search, Reranker):
            order = self.search.rerank(decoded, self.language)
            hypotheses, decoded = [hypotheses[number] for number in order], [decoded[number] for number in order]
        best = tuple((text, one.score) for text, one in zip(decoded, hypotheses, strict=True))
        text, score = best[0]
        if not hypotheses[0].finished:
            return Generated(text, score, GenerationStatus.TRUNCATED, best)
        return Generated(text, score, GenerationStatus.OK if text.strip() else GenerationStatus.EMPTY, best)


def share_exact(generation: LineGenerator, pairs: Sequence[Pair]) -> float:
    """Percent of the pairs whose target is generated exactly from their source."""
    [result] = generation.generate_chunks([[pair.source for pair in pairs]])
    right = sum(one.text == pair.target for one, pair in zip(result, pairs, strict=True))
    return 100 * right / max(1, len(pairs))
