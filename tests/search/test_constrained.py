"""Laws of constrained beam search: what is required comes, what is banned does not, and nothing else is changed."""

import random

import pytest
import torch
from toy_search import FORBIDDEN, TOKENS, Toy, allowed, assert_same, batch_of, beam, exhaustive

from seq2seq.network.state import State
from seq2seq.search.base import Request
from seq2seq.search.beam_search import LengthPenalty
from seq2seq.search.constrained import Constrained, allocate, unmet
from seq2seq.special_tokens import EOS, PAD

LENGTHS = [3, 1, 2]
Phrases = list[list[int]]


def constrained(
    width: int, best: int = 1, factor: float = 2.0, offset: int = 2, no_repeat_ngram: int = 0
) -> Constrained:
    return Constrained(width, best, "gnmt", 1.0, factor, offset, 0.0, no_repeat_ngram)


def request(lengths: list[int], required: list[Phrases], banned: list[Phrases] | None = None) -> Request:
    source, mask, first = batch_of(*lengths)
    return Request(source, mask, first, FORBIDDEN, required=required, banned=banned or ())


def some_phrases(seed: int) -> Phrases:
    """One to three phrases of one to three tokens, which overlap and repeat now and then."""
    draw = random.Random(seed)
    return [draw.choices(TOKENS, k=draw.randint(1, 3)) for _ in range(draw.randint(1, 3))]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "required",
    [
        [[[4]], [], [[6, 5]]],
        [[[4, 5], [5, 6]], [[1]], [[4], [4]]],  # overlapping, and one twice
        [[[4, 4], [4, 4]], [[6, 6], [6]], [[5, 6], [6, 5]]],  # overlapping with themselves and each other
        [[[5, 4], [4, 5, 6]], [[5]], [[1], [6], [5]]],
    ],
)
def test_a_wide_beam_equals_exhaustive_search_of_what_meets_all(seed: int, required: list[Phrases]) -> None:
    toy = Toy(seed)
    asked = request(LENGTHS, required)
    found = constrained(2000, 2000, factor=1.0)(toy.start, toy.step, asked)
    for row, length in enumerate(LENGTHS):
        every = exhaustive(
            toy, asked.source[row : row + 1, :length], asked.first[row], length + 2, LengthPenalty("gnmt", 1.0)
        )
        wanted = [one for one in every if one.finished and not unmet(one.tokens, required[row])]
        assert wanted
        assert_same([one for one in found[row] if one.finished], wanted)


@pytest.mark.parametrize("seed", range(3))
def test_with_banned_phrases_and_blocked_repetitions_too(seed: int) -> None:
    toy = Toy(seed)
    required: list[Phrases] = [[[4, 5]], [[1]], [[6]]]
    banned: list[Phrases] = [[[6], [5, 1]], [], [[4, 6]]]
    found = constrained(2000, 2000, factor=1.0)(toy.start, toy.step, request(LENGTHS, required, banned))
    for row, length in enumerate(LENGTHS):
        asked = request(LENGTHS, required)
        source, first = asked.source[row : row + 1, :length], asked.first[row]
        every = exhaustive(toy, source, first, length + 2, LengthPenalty("gnmt", 1.0))
        wanted = [one for one in every if one.finished and not unmet(one.tokens, required[row])]
        assert_same(
            [one for one in found[row] if one.finished], [one for one in wanted if allowed(one, [], banned[row])]
        )


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("seed", range(8))
def test_what_is_required_comes_however_narrow_the_beam(width: int, seed: int) -> None:
    toy, required = Toy(seed, sharpness=12.0), [some_phrases(seed), [], some_phrases(seed + 100), [[6], [6], [6]]]
    found = constrained(width, width, offset=12)(toy.start, toy.step, request([3, 2, 4, 1], required))
    for ones, phrases in zip(found, required, strict=True):
        assert ones and not any(unmet(one.tokens, phrases) for one in ones if one.finished)
        assert not unmet(ones[0].tokens, phrases)


@pytest.mark.parametrize("seed", range(3))
def test_without_requirements_it_is_beam_search(seed: int) -> None:
    toy, (source, mask, first) = Toy(seed), batch_of(5, 2, 7)
    for asked in (
        Request(source, mask, first, FORBIDDEN),
        Request(source, mask, first, FORBIDDEN, required=[[], [], []]),
    ):
        for width, best in ((1, 1), (3, 3), (6, 2)):
            plain = beam(width, best)(toy.start, toy.step, asked._replace(required=()))
            for found, wanted in zip(constrained(width, best)(toy.start, toy.step, asked), plain, strict=True):
                assert_same(found, wanted)


@pytest.mark.parametrize("seed", range(5))
def test_requirements_of_neighbours_change_nothing(seed: int) -> None:
    toy, required = Toy(seed), [some_phrases(seed), [], some_phrases(seed + 50), some_phrases(seed + 99)]
    asked = request([3, 8, 1, 5], required)
    together = constrained(4, 2, offset=9)(toy.start, toy.step, asked)
    for row in range(4):
        mask = asked.mask[row]
        alone = Request(
            asked.source[row : row + 1, mask],
            mask[None, mask],
            asked.first[row : row + 1],
            FORBIDDEN,
            required=required[row : row + 1],
        )
        assert_same(constrained(4, 2, offset=9)(toy.start, toy.step, alone)[0], together[row])
    assert_same(together[1], beam(4, 2, offset=9)(toy.start, toy.step, asked._replace(required=()))[1])


@pytest.mark.parametrize("seed", range(5))
def test_ending_early_does_not_lose_the_winner(seed: int) -> None:
    toy, required = Toy(seed, sharpness=12.0), [some_phrases(seed)[:1]]
    asked = request([3], required)
    [[found]] = constrained(2000, 1, factor=1.0)(toy.start, toy.step, asked)
    every = exhaustive(toy, asked.source, asked.first[0], 5, LengthPenalty("gnmt", 1.0))
    assert_same([found], [one for one in every if one.finished and not unmet(one.tokens, required[0])][:1])


def test_what_cannot_be_met_is_told_and_the_rest_is_met() -> None:
    """Too long; with a forbidden id; with a banned phrase."""
    toy = Toy(1)
    long = [4, 5, 6, 4, 5, 6, 4, 5]
    required: list[Phrases] = [[long], [[PAD, 4], [5]], [[6, 5, 1], [6]]]
    asked = request([1, 2, 2], required, [[], [], [[5, 1]]])
    found = constrained(3, 3, offset=4)(toy.start, toy.step, asked)
    assert unmet(found[0][0].tokens, required[0]) == [long] and not found[0][0].finished
    assert found[0][0].tokens == long[:6]  # as much as there is room for
    assert [unmet(found[row][0].tokens, required[row]) for row in (1, 2)] == [[[PAD, 4]], [[6, 5, 1]]]


def test_required_phrases_may_repeat_what_they_like() -> None:
    toy = Toy(2)
    for seed in range(5):
        phrases = [[4, 5], [4, 5], *some_phrases(seed)]
        [[one]] = constrained(4, 1, offset=20, no_repeat_ngram=2)(toy.start, toy.step, request([2], [phrases]))
        assert not unmet(one.tokens, phrases) and one.finished


def test_a_required_phrase_stands_where_it_costs_least() -> None:
    """Token 6 is likely third and unlikely elsewhere: a beam that only pushed it forward would say it first."""

    def step(tokens: torch.Tensor, state: State, memory: State) -> tuple[torch.Tensor, State]:
        scores = torch.full((*tokens.shape, 7), -8.0)
        for before, after in ((5, 4), (4, 1), (1, EOS), (6, EOS)):
            scores[tokens == before] = scores[tokens == before].index_fill(-1, torch.tensor([after]), 8.0)
        scores[tokens == 1] = scores[tokens == 1].index_fill(-1, torch.tensor([6]), 7.0)
        return scores.log_softmax(-1), state

    [[one]] = constrained(2)(Toy(0).start, step, request([3], [[[6]]]))
    assert one.tokens == [4, 1, 6]


def test_what_is_unmet() -> None:
    assert unmet([4, 5, 6], [[4, 5], [5, 6], [6, 4], []]) == [[6, 4]]
    assert unmet([4, 4, 4], [[4, 4]] * 3) == [[4, 4]]
    assert unmet([], [[4]]) == [[4]]


def test_places_are_allotted() -> None:
    scores = torch.tensor([[-9.0, -1, -2, -3, -4, float("-inf")]])
    needs = torch.tensor([[0, 2, 2, 2, 1, 0]])
    places, needed = allocate(scores, needs, torch.tensor([1]), 4)
    assert places.tolist() == [[0, 4, 1, 2]] and needed.tolist() == [[0, 1, 2, 2]]
    assert allocate(scores, needs, torch.tensor([1]), 2)[0].tolist() == [[0, 1]]
    assert allocate(scores, needs, torch.tensor([2]), 6)[1].tolist()[0][:5] == [0, 1, 2, 2, 2]
