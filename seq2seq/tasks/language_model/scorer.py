"""Lines to log-probabilities: a language model and its tokenizer as one scorer."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq import special_tokens as symbols
from seq2seq.config.typecheck import check_lines
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.device import autocast
from seq2seq.errors import ConfigError
from seq2seq.languages import matching
from seq2seq.network.language_model import LanguageModel
from seq2seq.network.state import State, select

LOGITS = 2**24  # held in memory at once: 64 MB


def perplexity(nats: float, tokens: int) -> float:
    """`exp(nats / tokens)`, infinite where that is too large; nats is the negative log-probability of the text."""
    try:
        return math.exp(nats / max(1, tokens))
    except OverflowError:
        return math.inf


def bits_per_character(nats: float, characters: int) -> float:
    """`nats / ln 2 / characters`."""
    return nats / math.log(2) / max(1, characters)


def characters(lines: Iterable[str]) -> int:
    """Code points of the lines, and one a line for its end."""
    return sum(len(line) + 1 for line in lines)


class ScoredToken(NamedTuple):
    """A token as the tokenizer spells it, with its log-probability in nats given all tokens before it.

    `likeliest` are the tokens that were the likeliest in its place, with theirs, best first.
    """

    piece: str
    log_probability: float
    likeliest: tuple[tuple[str, float], ...]


class Score(NamedTuple):
    """A line's `tokens`, the EOS that ends it included, and its `characters`, its end counted as one.

    A blank line has none of both.
    """

    tokens: tuple[ScoredToken, ...]
    characters: int

    @property
    def blank(self) -> bool:
        """Whether there was nothing to score: the model never saw the line."""
        return not self.tokens

    @property
    def log_probability(self) -> float:
        """Of the whole line, in nats: the sum over its tokens."""
        return sum((token.log_probability for token in self.tokens), 0.0)

    @property
    def perplexity(self) -> float:
        """Per token."""
        return perplexity(-self.log_probability, len(self.tokens))

    @property
    def bits_per_character(self) -> float:
        return bits_per_character(-self.log_probability, self.characters)


class Scorer:
    """Scores lines, each from its first token: `[tag of the language, pieces, EOS]`, the tag given.

    model: in evaluation mode, on `device`. batch_tokens: tokens read at once, padding included; a longer line is read
    in parts. top_k: number of most probable tokens to return for every position. dtype: of the large products
    (`seq2seq.device.precision`). If a line has several segmentations, the score is that of the tokenizer's choice.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        languages: Sequence[str],
        batch_tokens: int,
        top_k: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens: expected a positive int, got {batch_tokens}")
        if not 0 <= top_k <= len(model.output_weight):
            raise ConfigError(f"top_k: expected 0 up to the vocabulary's {len(model.output_weight)}, got {top_k}")
        self.model, self.tokenizer, self.languages = model, tokenizer, list(languages)
        self.batch_tokens, self.likeliest, self.dtype, self.device = batch_tokens, top_k, dtype, device

    def score(self, lines: Iterable[Sequence[str]], language: str) -> Iterator[list[Score]]:
        """The scores of chunks of lines, chunk by chunk, in order. Raises ConfigError for an unknown language."""
        check_lines(lines, "chunks")
        language = known_language(language, self.languages)
        return (self._chunk(chunk, language) for chunk in lines)

    def _chunk(self, lines: Sequence[str], language: str) -> list[Score]:
        encoded = self.tokenizer.encode(lines, language, "target")
        rows = {number: ids for number, ids in enumerate(encoded) if ids and lines[number].strip()}
        result = [Score((), 0) for _ in lines]
        for batch in self._batches(rows):
            ids = [[*rows[number], symbols.EOS] for number in batch]
            for number, row, predicted in zip(batch, ids, self.predict(ids, language), strict=True):
                result[number] = Score(self._tokens(row, predicted), len(lines[number]) + 1)
        return result

    def _tokens(self, row: Sequence[int], predicted: "Predicted") -> tuple[ScoredToken, ...]:
        top_k = [
            tuple(zip(self.tokenizer.pieces(ids), scores, strict=True))
            for ids, scores in zip(predicted.ids.tolist(), predicted.values.tolist(), strict=True)
        ]
        columns = (self.tokenizer.pieces(row), predicted.scores.tolist(), top_k)
        return tuple(ScoredToken(*token) for token in zip(*columns, strict=True))

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
    def predict(self, rows: Sequence[Sequence[int]], language: str) -> "list[Predicted]":
        """The model's predictions for every id of every row, given the ids before it; the longest row is first."""
        assert not self.model.training, "dropout would score differently every time"
        lengths = [len(row) for row in rows]
        ids = torch.full((len(rows), 1 + lengths[0]), symbols.PAD, device=self.device)
        ids[:, 0] = self.tokenizer.tag_id(language)
        for number, row in enumerate(rows):
            ids[number, 1 : 1 + len(row)] = torch.tensor(row, device=self.device)
        state = self.model.initial_state(len(rows))
        width = max(1, self.batch_tokens // len(rows))
        parts: list[list[Predicted]] = [[] for _ in rows]
        for first in range(0, lengths[0], width):
            going = sum(length > first for length in lengths)  # shorter rows have ended; they are the last ones
            state = select(state, torch.arange(going, device=self.device))
            predicted, state = self._read(ids[:going, first : first + width + 1], state)
            for number in range(going):
                rest = lengths[number] - first
                parts[number].append(Predicted(*(tensor[number, :rest] for tensor in predicted)))
        return [Predicted(*map(torch.cat, zip(*row, strict=True))) for row in parts]

    def _read(self, ids: Int[Tensor, "batch read"], state: State) -> "tuple[Predicted, State]":
        """All ids but the first predicted, and the state before the last."""
        with autocast(self.dtype, self.device):
            features, state = self.model.read(ids[:, :-1], None, state)
            rows, gold = features.flatten(0, 1), ids[:, 1:].flatten().unsqueeze(1)
            size = max(1, LOGITS // len(self.model.output_weight))
            result = []
            for first in range(0, len(rows), size):
                scores = self.model.logits(rows[first : first + size]).float().log_softmax(-1)
                result.append((scores.gather(1, gold[first : first + size]), *scores.topk(self.likeliest)))
        shape = (len(ids), ids.shape[1] - 1)
        scores, values, likeliest = (torch.cat(part) for part in zip(*result, strict=True))
        wide = (*shape, self.likeliest)
        return Predicted(scores.view(shape), values.view(wide), likeliest.view(wide)), state


class Predicted(NamedTuple):
    """Log-probabilities of the ids of a row, and the likeliest ids with theirs at every place."""

    scores: Float[Tensor, "*rows time"]
    values: Float[Tensor, "*rows time likeliest"]
    ids: Int[Tensor, "*rows time likeliest"]


def known_language(language: str, known: Sequence[str]) -> str:
    """The language by the name it was trained under. Raises ConfigError with what is allowed, where it was not."""
    matches = matching(language, known)
    if len(matches) != 1:
        raise ConfigError(f"language={language}: this model knows {', '.join(matches or known)}; choose one of these")
    return matches[0]
