"""Laws of what all searches obey: lengths, blocked repetitions, banned phrases, wanted beginnings."""

from collections.abc import Sequence

import pytest
import torch
from toy_search import (
    FORBIDDEN,
    VOCABULARY,
    Toy,
    allowed,
    assert_same,
    batch_of,
    beam,
    exhaustive,
    greedy,
    sampling,
    score,
)

from seq2seq.errors import ConfigError
from seq2seq.network.state import State
from seq2seq.search.base import Request, Search
from seq2seq.search.beam import Beam
from seq2seq.search.beam_search import LengthPenalty
from seq2seq.search.greedy import Greedy
from seq2seq.special_tokens import BOS, EOS

LENGTHS = [3, 1, 2]
PENALTY = LengthPenalty("gnmt", 1.0)
PREFIXES = [[4, 4], [], [6]]
BANNED = [[[4], [5, 6]], [], [[6, 1, 6], [6, 6], [1]]]
SEARCHES: dict[str, Search] = {
    "greedy": greedy(2.0, 2),
    "beam": beam(3),
    "sampling": sampling(temperature=0.5, factor=2.0, offset=2),
}


def request(lengths: Sequence[int] = LENGTHS) -> Request:
    source, mask, first = batch_of(*lengths)
    return Request(source, mask, first, FORBIDDEN)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("no_repeat_ngram", [0, 1, 2, 3])
@pytest.mark.parametrize("prefixed", [False, True])
@pytest.mark.parametrize("banned", [False, True])
def test_a_wide_beam_equals_exhaustive_search_of_what_is_allowed(
    seed: int, no_repeat_ngram: int, prefixed: bool, banned: bool
) -> None:
    toy = Toy(seed)
    asked = request()._replace(prefixes=PREFIXES if prefixed else (), banned=BANNED if banned else ())
    found = beam(2000, 2000, factor=1.0, no_repeat_ngram=no_repeat_ngram)(toy.start, toy.step, asked)
    for row, length in enumerate(LENGTHS):
        every = exhaustive(toy, asked.source[row : row + 1, :length], asked.first[row], length + 2, PENALTY)
        prefix, phrases = PREFIXES[row] if prefixed else [], BANNED[row] if banned else []
        assert_same(found[row], [one for one in every if allowed(one, prefix, phrases, no_repeat_ngram)])


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("seed", range(3))
def test_no_word_goes_on_behind_a_complete_phrase(name: str, seed: int) -> None:
    """As if each token that goes on with a word were banned behind each of the phrases."""
    continuing = torch.zeros(1, VOCABULARY, dtype=torch.bool)
    continuing[0, [4, 6]] = True
    complete = [[[4], [5, 6]], [], [[6]]]
    model = Toy(seed)
    given = request()._replace(prefixes=PREFIXES)
    new = SEARCHES[name](model.start, model.step, given._replace(complete=complete, continuing=continuing))
    banned = [[[*phrase, token] for phrase in row for token in (4, 6)] for row in complete]
    old = SEARCHES[name](model.start, model.step, given._replace(banned=banned))
    for one, other in zip(new, old, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("shortest", [0.0, 0.5, 1.0])
def test_the_shortest_length_is_kept(shortest: float) -> None:
    toy, asked = Toy(1), request()
    found = beam(2000, 2000, factor=1.0, shortest=shortest)(toy.start, toy.step, asked)
    for row, length in enumerate(LENGTHS):
        every = exhaustive(toy, asked.source[row : row + 1, :length], asked.first[row], length + 2, PENALTY)
        assert_same(found[row], [one for one in every if allowed(one, [], shortest=int(shortest * length))])
    ends = lambda tokens, state, memory: (sure(tokens, EOS), state)  # noqa: E731
    for search in (greedy(2.0, 2, shortest), beam(3, shortest=shortest)):
        [[one]] = search(toy.start, ends, request([8]))
        assert len(one.tokens) + 1 == max(2, int(shortest * 8)) and one.finished


def sure(tokens: torch.Tensor, token: int) -> torch.Tensor:
    """All but certain of one token."""
    return (torch.eye(VOCABULARY)[token] * 20).log_softmax(-1).expand(*tokens.shape, VOCABULARY).clone()


@pytest.mark.parametrize("name", SEARCHES)
def test_a_wanted_beginning_comes_and_is_scored_by_the_model(name: str) -> None:
    """Also where it holds forbidden ids, banned phrases and repetitions, or is too long; a neighbour is left alone."""
    prefixes = [[4, 4, 4, BOS, 4], [], [5], [6, 1] * 20]
    asked = request([3, 4, 2, 1])._replace(prefixes=prefixes, banned=[[[4, 4]]] * 4, no_repeat_ngram=2)
    toy = Toy(1)
    found = SEARCHES[name](toy.start, toy.step, asked)
    free = SEARCHES[name](toy.start, toy.step, request([3, 4, 2, 1])._replace(banned=[[[4, 4]]] * 4, no_repeat_ngram=2))
    assert_same(found[1], free[1])
    for row, ([one], prefix) in enumerate(zip(found, prefixes, strict=True)):
        assert one.tokens[: len(prefix)] == prefix
        ids = [*one.tokens, EOS] if one.finished else one.tokens
        wanted = score(toy, asked.source[row : row + 1][:, asked.mask[row]], asked.first[row], ids)
        assert one.score == pytest.approx(wanted, abs=1e-3)
    assert len(found[3][0].tokens) in (40, 41)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_wanted_beginning_that_the_model_holds_for_impossible_comes_too(name: str) -> None:
    def step(tokens: torch.Tensor, state: State, memory: State) -> tuple[torch.Tensor, State]:
        likely = sure(tokens, EOS)
        likely[..., 6] = float("-inf")
        return likely, state

    [[one]] = SEARCHES[name](Toy(0).start, step, request([3])._replace(prefixes=[[4, 6, 6]]))
    assert one.tokens[:3] == [4, 6, 6] and one.finished and one.score > float("-inf")


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("seed", range(5))
def test_requests_of_neighbours_change_nothing(name: str, seed: int) -> None:
    toy = Toy(seed)
    prefixes = [[4], [], [6, 6, 1], [], [5]]
    banned = [[[4, 4], [1]], [[5]], [], [], [[6, 5, 4], [6, 5]]]
    asked = request([4, 9, 1, 6, 2])._replace(prefixes=prefixes, banned=banned, no_repeat_ngram=2)
    together = SEARCHES[name](toy.start, toy.step, asked)
    for row in range(5):
        mask = asked.mask[row]
        alone = Request(
            asked.source[row : row + 1, mask],
            mask[None, mask],
            asked.first[row : row + 1],
            FORBIDDEN,
            prefixes=prefixes[row : row + 1],
            banned=banned[row : row + 1],
            no_repeat_ngram=2,
        )
        assert_same(SEARCHES[name](toy.start, toy.step, alone)[0], together[row])
        [best] = together[row][:1]
        assert allowed(best, prefixes[row], banned[row], 2)


@pytest.mark.parametrize("name", ["greedy", "beam"])
def test_a_loop_is_broken(name: str) -> None:
    def step(tokens: torch.Tensor, state: State, memory: State) -> tuple[torch.Tensor, State]:
        return torch.tensor([-9.0, -9, -9, -7, -5, -1, -2]).log_softmax(-1).expand(*tokens.shape, -1).clone(), state

    search, toy = SEARCHES[name], Toy(0)
    [[looping]] = search(toy.start, step, request([4]))
    assert looping.tokens == [5] * 10 and not looping.finished
    [[one]] = search(toy.start, step, request([4])._replace(no_repeat_ngram=1))
    assert one.finished and len(set(one.tokens)) == len(one.tokens)


@pytest.mark.parametrize(("key", "asked", "wanted"), [(0, 2, 2), (2, 0, 2), (3, 1, 1), (1, 3, 1), (0, 0, 0)])
def test_the_settings_and_the_request_both_forbid_repetitions(key: int, asked: int, wanted: int) -> None:
    toy = Toy(2)
    for both, one in ((greedy(4.0, 2, 0.0, key), greedy(4.0, 2)), (beam(3, no_repeat_ngram=key), beam(3))):
        found = both(toy.start, toy.step, request()._replace(no_repeat_ngram=asked))
        assert found == one(toy.start, toy.step, request()._replace(no_repeat_ngram=wanted))


def test_where_nothing_is_left_a_hypothesis_ends() -> None:
    toy = Toy(0)
    for search in SEARCHES.values():
        asked = request([9])._replace(banned=[[[4], [5]]], no_repeat_ngram=1)
        [[one]] = search(toy.start, toy.step, asked)
        assert set(one.tokens) <= {1, 6} and one.finished
    strict = beam(2, factor=2.0, shortest=2.0, no_repeat_ngram=1)
    [[one]] = strict(toy.start, toy.step, request([9]))
    assert sorted(one.tokens) == [1, 4, 5, 6] and one.finished


@pytest.mark.parametrize("search", list(SEARCHES.values()))
def test_required_phrases_are_refused_by_who_cannot_promise_them(search: Search) -> None:
    toy = Toy(0)
    with pytest.raises(ConfigError, match="search=constrained"):
        search(toy.start, toy.step, request()._replace(required=[[], [[4]], []]))


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("max_length_ratio", (-1.0, 2, 0.0, 0)),
        ("max_length_extra", (1.0, 1, 0.0, 0)),
        ("min_length_ratio", (1.0, 2, 1.5, 0)),
        ("min_length_ratio", (1.0, 2, -0.5, 0)),
        ("no_repeat_ngram", (1.0, 2, 0.0, -1)),
    ],
)
def test_illegal_values_are_named(key: str, values: tuple[float, int, float, int]) -> None:
    for search in (lambda: Greedy(*values), lambda: Beam(3, 1, "gnmt", 1.0, *values)):
        with pytest.raises(ConfigError, match=rf"search\.{key}"):
            search()
