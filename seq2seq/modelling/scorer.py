"""Lines to log-probabilities: a language model and its tokenizer as one scorer."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq import symbols
from seq2seq.data.tokenizer import Tokenizer
from seq2seq.device import autocast
from seq2seq.errors import ConfigError
from seq2seq.modelling.measure import bits_per_character, perplexity
from seq2seq.network.language_model import LanguageModel
from seq2seq.network.state import State, select

LOGITS = 2**24  # that stand in memory at once: 64 MB


class Score(NamedTuple):
    """A line's log-probability in nats: the sum over its `pieces`, the EOS that ends the line included.

    `pieces` are the line's tokens as the tokenizer spells them, each with its log-probability given all before it. A
    blank line has none, no log-probability and no characters. `characters` counts the line's end as one.
    """

    log_probability: float
    pieces: tuple[tuple[str, float], ...]
    characters: int

    @property
    def blank(self) -> bool:
        """Whether there was nothing to score: the model never saw the line."""
        return not self.pieces

    @property
    def perplexity(self) -> float:
        """Per token."""
        return perplexity(-self.log_probability, len(self.pieces))

    @property
    def bits_per_character(self) -> float:
        """See measure.py."""
        return bits_per_character(-self.log_probability, self.characters)


class Scorer:
    """Scores lines, each by itself from its first symbol: `[tag of the language, pieces, EOS]`, the tag given.

    model: in evaluation mode, on `device`. batch_tokens: tokens that are read at once, padding included; a line may be
    longer, it is read in parts. dtype: of the large products (`seq2seq.device.precision`).
    Where a line has several segmentations, the score is that of the tokenizer's choice.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        languages: Sequence[str],
        batch_tokens: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens: expected a positive int, got {batch_tokens}")
        self.model, self.tokenizer, self.languages = model, tokenizer, list(languages)
        self.batch_tokens, self.dtype, self.device = batch_tokens, dtype, device

    def score(self, lines: Iterable[Sequence[str]], language: str) -> Iterator[list[Score]]:
        """The scores of chunks of lines, chunk by chunk, in order. Raises ConfigError for an unknown language."""
        check(language, self.languages)
        return (self._chunk(chunk, language) for chunk in lines)

    def _chunk(self, lines: Sequence[str], language: str) -> list[Score]:
        encoded = self.tokenizer.encode(lines, language, "target")
        rows = {number: ids for number, ids in enumerate(encoded) if ids and lines[number].strip()}
        found = [Score(0.0, (), 0) for _ in lines]
        for batch in self._batches(rows):
            scores = self.log_probabilities([[*rows[number], symbols.EOS] for number in batch], language)
            for number, line_scores in zip(batch, scores, strict=True):
                names = self.tokenizer.pieces([*rows[number], symbols.EOS])
                pieces = tuple(zip(names, line_scores, strict=True))
                found[number] = Score(sum(line_scores), pieces, len(lines[number]) + 1)
        return found

    def _batches(self, rows: dict[int, list[int]]) -> Iterator[list[int]]:
        """Lines of like length whose padded rows have at most `batch_tokens` tokens together, the longest first."""
        batch: list[int] = []
        for number in sorted(rows, key=lambda number: -len(rows[number])):
            if batch and (len(rows[batch[0]]) + 1) * (len(batch) + 1) > self.batch_tokens:
                yield batch
                batch = []
            batch.append(number)
        if batch:
            yield batch

    @torch.inference_mode()
    def log_probabilities(self, rows: Sequence[Sequence[int]], language: str) -> list[list[float]]:
        """Of every id of every row, given the ids before it; rows are the longest first."""
        assert not self.model.training, "dropout would score differently every time"
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        ids = torch.full((len(rows), 1 + len(rows[0])), symbols.PAD, device=self.device)
        ids[:, 0] = self.tokenizer.tag_id(language)
        for number, row in enumerate(rows):
            ids[number, 1 : 1 + len(row)] = torch.tensor(row, device=self.device)
        state = self.model.initial_state(len(rows))
        width = max(1, self.batch_tokens // len(rows))
        found = []
        for first in range(0, len(rows[0]), width):
            going = int((lengths > first).sum())  # shorter rows are at their end, and stand behind the others
            state = select(state, torch.arange(going, device=self.device))
            part = ids[:going, first : first + width + 1]
            scores, state = self._read(part, state)
            found.append(torch.nn.functional.pad(scores, (0, 0, 0, len(rows) - going)))
        every = torch.cat(found, 1).tolist()
        return [line[: len(row)] for line, row in zip(every, rows, strict=True)]

    def _read(self, ids: Int[Tensor, "batch read"], state: State) -> tuple[Float[Tensor, "batch time"], State]:
        """The log-probability of all ids but the first, and the state before the last."""
        with autocast(self.dtype, self.device):
            features, state = self.model.read(ids[:, :-1], None, state)
            rows, gold = features.flatten(0, 1), ids[:, 1:].flatten().unsqueeze(1)
            size = max(1, LOGITS // len(self.model.output_weight))
            scores = [
                self.model.logits(rows[first : first + size])
                .float()
                .log_softmax(-1)
                .gather(1, gold[first : first + size])
                for first in range(0, len(rows), size)
            ]
        return torch.cat(scores).view(len(ids), -1), state


def check(language: str, known: Sequence[str]) -> None:
    """Raises ConfigError with what is allowed, where the model was not trained on this language."""
    if language not in known:
        raise ConfigError(f"language={language}: this model knows {', '.join(known)}; choose one of these")
