"""Lines out of a language model: beginnings go on until the model ends the line."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import torch

from seq2seq.config.typecheck import check_lines
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import autocast
from seq2seq.errors import ConfigError
from seq2seq.network.language_model import LanguageModel
from seq2seq.search.base import Hypothesis, Request, Reranker, Search
from seq2seq.tasks.language_model.scorer import known_language


class Sample(NamedTuple):
    """A generated line, its prompt included.

    `log_probability`: of the generated part, in nats, EOS included. `finished`: whether EOS came before the maximum
    length.
    """

    text: str
    beginning: str
    log_probability: float
    finished: bool


class Sampler:
    """Continues beginnings of lines; an empty one is a whole line of the model's own.

    model: in evaluation mode, on `device`. search: drawn (search=sampling) or the likeliest; at least one token is
    added. batch_size: lines that are written side by side, which changes none of them: draws belong to a line's number.
    dtype: of the large products (`seq2seq.device.precision`).
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        languages: Sequence[str],
        search: Search,
        batch_size: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch_size: expected a positive int, got {batch_size}")
        self.model, self.tokenizer, self.languages, self.search = model, tokenizer, list(languages), search
        self.batch_size, self.dtype, self.device = batch_size, dtype, device
        self.forbidden = torch.tensor(tokenizer.never_generated, device=device)

    def sample(self, prompts: Iterable[str], language: str) -> Iterator[list[Sample]]:
        """A line for every beginning, in order, some at a time. Raises ConfigError at once for an unknown language."""
        check_lines(prompts, "prompts")
        language = known_language(language, self.languages)
        return self._chunks(iter(prompts), language)

    def _chunks(self, prompts: Iterator[str], language: str) -> Iterator[list[Sample]]:
        number = 0
        while chunk := list(islice(prompts, self.batch_size)):
            rows = self.tokenizer.encode(chunk, language, "target")
            result = self._search(rows, range(number, number + len(chunk)), language)
            texts = self.tokenizer.decode(
                [[*row, *one.tokens] for row, one in zip(rows, result, strict=True)], language
            )
            yield [
                Sample(text, beginning, one.score, one.finished)
                for text, beginning, one in zip(texts, chunk, result, strict=True)
            ]
            number += len(chunk)

    @torch.inference_mode()
    def _search(self, rows: list[list[int]], numbers: range, language: str) -> list[Hypothesis]:
        """The best hypothesis of each row. The last id of `[tag, beginning]` is the search's first input."""
        assert not self.model.training, "dropout would write differently every time"
        read = [[self.tokenizer.tag_id(language), *row] for row in rows]
        first = torch.tensor([row[-1] for row in read], device=self.device)
        lengths = torch.tensor([len(row) - 1 for row in read], device=self.device)
        mask = torch.arange(int(lengths.max()), device=self.device) < lengths.unsqueeze(1)
        source = torch.zeros(mask.shape, dtype=torch.long, device=self.device)
        for number, row in enumerate(read):
            source[number, : len(row) - 1] = torch.tensor(row[:-1], dtype=torch.long, device=self.device)
        request = Request(source, mask, first, self.forbidden, torch.tensor(numbers, device=self.device))
        with autocast(self.dtype, self.device):
            match = self.search(self.model.start, self.model.step, request)
        return [self._best(hypotheses, language) for hypotheses in match]

    def _best(self, hypotheses: list[Hypothesis], language: str) -> Hypothesis:
        if not isinstance(self.search, Reranker):
            return hypotheses[0]
        texts = self.tokenizer.decode([one.tokens for one in hypotheses], language)
        return hypotheses[self.search.rerank(texts, language)[0]]
