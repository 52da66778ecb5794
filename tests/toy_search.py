"""Searches with rules of no effect unless asked for, toy models to search, and all hypotheses of one sentence."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from seq2seq.network.state import State, map_state
from seq2seq.search.base import Hypothesis, Request, Search
from seq2seq.search.beam import Beam
from seq2seq.search.beam_search import LengthPenalty
from seq2seq.search.greedy import Greedy
from seq2seq.search.sampling import Sampling
from seq2seq.special_tokens import BOS, EOS, PAD

VOCABULARY = 7
WIDTH = 6
TOKENS = [1, 4, 5, 6]  # what may be generated besides EOS
FORBIDDEN = torch.tensor([PAD, BOS])


def greedy(factor: float, offset: int, shortest: float = 0.0, no_repeat_ngram: int = 0) -> Greedy:
    return Greedy(factor, offset, shortest, no_repeat_ngram)


def beam(
    width: int,
    best: int = 1,
    kind: str = "gnmt",
    alpha: float = 1.0,
    factor: float = 2.0,
    offset: int = 2,
    shortest: float = 0.0,
    no_repeat_ngram: int = 0,
) -> Beam:
    return Beam(width, best, kind, alpha, factor, offset, shortest, no_repeat_ngram)


def sampling(
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
    seed: int = 1,
    factor: float = 0.0,
    offset: int = 6,
    no_repeat_ngram: int = 0,
    typical: float = 1.0,
    count: int = 1,
) -> Sampling:
    return Sampling(temperature, top_k, top_p, typical, count, seed, factor, offset, 0.0, no_repeat_ngram)


class Toy:
    """A random recurrent translator with sharp logits: a hypothesis with another's state gets very different scores."""

    def __init__(self, seed: int, sharpness: float = 6.0) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.sources = torch.randn(50, WIDTH, generator=draw, dtype=torch.float64)
        self.targets = torch.randn(VOCABULARY, WIDTH, generator=draw, dtype=torch.float64)
        self.recurrence = torch.randn(WIDTH, WIDTH, generator=draw, dtype=torch.float64)
        self.output = torch.randn(WIDTH, VOCABULARY, generator=draw, dtype=torch.float64) * sharpness / WIDTH**0.5
        self.longest_batch: list[int] = []

    def start(self, source: Tensor, source_mask: Tensor) -> tuple[State, State]:
        values = self.sources[source]
        summary = (values * source_mask.unsqueeze(-1)).sum(1)
        return (values, source_mask), (summary.unsqueeze(1), (torch.zeros(len(source), 1, dtype=torch.long),))

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        values, mask = memory
        hidden, (steps,) = state
        assert tokens.shape == hidden.shape[:2] == steps.shape
        assert len(values) == len(tokens)
        assert (steps == steps[0, 0]).all()
        self.longest_batch.append(len(values.flatten(1).unique(dim=0)))  # sentences
        scores = (hidden @ values.transpose(1, 2)).masked_fill(~mask.unsqueeze(1), float("-inf"))
        context = scores.softmax(-1) @ values
        hidden = torch.tanh(hidden @ self.recurrence + self.targets[tokens] + context)
        return (hidden @ self.output).float().log_softmax(-1), (hidden, (steps + 1,))


def batch_of(*lengths: int) -> tuple[Tensor, Tensor, Tensor]:
    """Different sentences of these lengths, padded: ids, mask, first tokens."""
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    ids = torch.arange(mask.numel()).reshape(mask.shape) % 46 + 4
    first = torch.arange(len(lengths)) % 2 + 5
    return ids * mask, mask, first


def search_all(search: Search, toy: Toy, source: Tensor, mask: Tensor, first: Tensor) -> list[list[Hypothesis]]:
    return search(toy.start, toy.step, Request(source, mask, first, FORBIDDEN))


def score(toy: Toy, source: Tensor, first: Tensor, tokens: list[int]) -> float:
    """The score of the first tokens of one sentence, one step at a time."""
    memory, state = toy.start(source, torch.ones_like(source, dtype=torch.bool))
    total, previous = 0.0, int(first)
    for token in tokens:
        logits, state = toy.step(torch.tensor([[previous]]), state, memory)
        total += float(logits[0, 0].log_softmax(-1)[token])
        previous = token
    return total


def exhaustive(toy: Toy, source: Tensor, first: Tensor, limit: int, penalty: LengthPenalty) -> list[Hypothesis]:
    """All hypotheses of one sentence: the finished ones by normalised score, then the open ones."""
    found = []
    memory, state = toy.start(source, torch.ones_like(source, dtype=torch.bool))
    words, scores = [[int(first)]], torch.zeros(1)
    for length in range(1, limit + 1):
        divisor = float(penalty(torch.tensor([length])))
        logits, state = toy.step(torch.tensor([[ids[-1] for ids in words]]), state, memory)
        totals = scores.unsqueeze(-1) + logits[0].log_softmax(-1)
        if length > 1:
            endings = zip(words, totals[:, EOS].tolist(), strict=True)
            found += [Hypothesis(ids[1:], total, total / divisor, True) for ids, total in endings]
        words, scores = [[*ids, token] for ids in words for token in TOKENS], totals[:, TOKENS].flatten()
        state = map_state(lambda tensor: tensor.repeat_interleave(len(TOKENS), 1), state)
    opened = zip(words, scores.tolist(), strict=True)
    found += [Hypothesis(ids[1:], total, total / divisor, False) for ids, total in opened]
    return sorted(found, key=lambda one: (not one.finished, -one.normalised))


def assert_same(left: list[Hypothesis], right: list[Hypothesis]) -> None:
    assert [(one.tokens, one.finished) for one in left] == [(one.tokens, one.finished) for one in right]
    assert [one.score for one in left] == pytest.approx([one.score for one in right], abs=1e-4)
    assert [one.normalised for one in left] == pytest.approx([one.normalised for one in right], abs=1e-4)


def has(tokens: list[int], phrase: list[int]) -> bool:
    return any(tokens[at : at + len(phrase)] == phrase for at in range(len(tokens) - len(phrase) + 1))


def allowed(
    one: Hypothesis, prefix: list[int], banned: Sequence[list[int]] = (), no_repeat_ngram: int = 0, shortest: int = 0
) -> bool:
    """The rules, token by token; they begin where the prefix ends."""
    tokens = one.tokens
    for at in range(len(tokens)):
        if at < len(prefix):
            if tokens[at] != prefix[at]:
                return False
            continue
        if any(tokens[: at + 1][-len(phrase) :] == phrase for phrase in banned):
            return False
        if no_repeat_ngram and at + 1 > no_repeat_ngram and has(tokens[:at], tokens[at + 1 - no_repeat_ngram : at + 1]):
            return False
    return not one.finished or (len(tokens) >= len(prefix) and len(tokens) + 1 >= shortest)
