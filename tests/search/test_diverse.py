"""Laws of diverse beam search: one group is a beam, several keep off each other's words, scores are the model's."""

import pytest
import torch
from toy_search import FORBIDDEN, TOKENS, Toy, assert_same, batch_of, beam, exhaustive, score, search_all

from seq2seq.errors import ConfigError
from seq2seq.search.base import Hypothesis
from seq2seq.search.beam_search import LengthPenalty
from seq2seq.search.diverse import Diverse
from seq2seq.special_tokens import EOS


def diverse(width: int, groups: int, diversity: float, best: int = 1, factor: float = 2.0) -> Diverse:
    return Diverse(width, groups, diversity, best, "gnmt", 1.0, factor, 2, 0.0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_one_group_is_a_beam_and_so_are_groups_that_do_not_mind_each_other(seed: int) -> None:
    toy, batch = Toy(seed), batch_of(5, 2, 7)
    for width, best in ((1, 1), (4, 1), (4, 4)):
        plain = search_all(beam(width, best), toy, *batch)
        for search in (diverse(width, 1, 0.7, best), diverse(3 * width, 3, 0.0, best)):
            for found, wanted in zip(search_all(search, toy, *batch), plain, strict=True):
                assert_same(found, wanted)


@pytest.mark.parametrize("seed", range(2))
def test_wide_groups_equal_exhaustive_search(seed: int) -> None:
    toy = Toy(seed)
    source, mask, first = batch_of(3, 1, 2)
    found = search_all(diverse(4000, 2, 0.9, 4000, factor=1.0), toy, source, mask, first)
    for row, length in enumerate([3, 1, 2]):
        penalty = LengthPenalty("gnmt", 1.0)
        assert_same(found[row], exhaustive(toy, source[row : row + 1, :length], first[row], length + 2, penalty))


@pytest.mark.parametrize("seed", range(8))
def test_the_first_group_is_a_beam_whatever_the_others_do(seed: int) -> None:
    """It has ended when the beam has, though others go on."""
    toy, batch = Toy(seed, sharpness=3.0), batch_of(5, 2, 7)
    plain = search_all(beam(2, 2), toy, *batch)
    for found, wanted in zip(search_all(diverse(6, 3, 2.0, 6), toy, *batch), plain, strict=True):
        kept = {tuple(one.tokens) for one in found}
        assert [one for one in wanted if one.finished and tuple(one.tokens) not in kept] == []


def naive(toy: Toy, source: torch.Tensor, first: torch.Tensor, limit: int, groups: int, size: int, cost: float) -> list:
    """The finished hypotheses of every group, by plain loops, until the longest length."""
    opened: list[list[tuple[list[int], float]]] = [[([], 0.0)] for _ in range(groups)]
    finished: list[dict[tuple[int, ...], float]] = [{} for _ in range(groups)]
    for length in range(1, limit + 1):
        taken: list[int] = []
        for group in range(groups):
            options, endings = [], []
            for tokens, _ in opened[group]:
                for token in TOKENS:
                    total = score(toy, source, first, [*tokens, token])
                    options.append((total - cost * taken.count(token), total, [*tokens, token]))
                if length > 1:
                    endings.append((score(toy, source, first, [*tokens, EOS]), tokens))
            best = sorted(options, reverse=True)[:size]
            rivals = sorted([total for total, _ in endings] + [total for _, total, _ in best], reverse=True)
            for total, tokens in endings:
                if total >= rivals[min(size, len(rivals)) - 1]:
                    finished[group][tuple(tokens)] = total
            opened[group] = [(tokens, total) for _, total, tokens in best]
            taken += [tokens[-1] for tokens, _ in opened[group]]
    return finished


@pytest.mark.parametrize("seed", range(6))
def test_groups_choose_as_plain_loops_do(seed: int) -> None:
    """Whatever is found was found by the loops too, the best of every group among it."""
    toy = Toy(seed, sharpness=3.0)
    source, mask, first = batch_of(3)
    [found] = search_all(diverse(6, 3, 1.5, 6, factor=1.0), toy, source, mask, first)
    groups = naive(toy, source, first[0], 5, 3, 2, 1.5)
    every = {tokens: total for group in groups for tokens, total in group.items()}
    ended = [one for one in found if one.finished]
    assert bool(ended) == any(groups) == (seed != 1)
    for one in ended:
        assert one.score == pytest.approx(every[tuple(one.tokens)], abs=1e-4)
    for group in groups:
        if group:
            penalty = LengthPenalty("gnmt", 1.0)
            ranked = sorted(group, key=lambda ids: -group[ids] / float(penalty(torch.tensor([len(ids) + 1]))))
            assert list(ranked[0]) in [one.tokens for one in ended]


@pytest.mark.parametrize("seed", range(5))
def test_groups_that_mind_much_begin_differently(seed: int) -> None:
    toy = Toy(seed, sharpness=2.0)
    for found in search_all(diverse(4, 4, 1000.0, 4), toy, *batch_of(4, 2)):
        assert len({one.tokens[0] for one in found}) == len(found) == 4
    alike = search_all(beam(4, 4), toy, *batch_of(4, 2))
    assert any(len({one.tokens[0] for one in ones}) < 4 for ones in alike)


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_change_nothing(seed: int) -> None:
    toy, (source, mask, first) = Toy(seed), batch_of(4, 9, 1, 6)
    search = diverse(6, 3, 0.8, 6)
    together = search_all(search, toy, source, mask, first)
    for row in range(4):
        alone = search_all(
            search, toy, source[row : row + 1, mask[row]], mask[row : row + 1, mask[row]], first[row : row + 1]
        )
        assert_same(alone[0], together[row])
        check(toy, source[row : row + 1, mask[row]], first[row], together[row])


def check(toy: Toy, source: torch.Tensor, first: torch.Tensor, found: list[Hypothesis]) -> None:
    assert found == sorted(found, key=lambda one: (not one.finished, -one.normalised))
    assert len({tuple(one.tokens) for one in found}) == len(found)
    for one in found:
        assert not set(one.tokens) & set(FORBIDDEN.tolist())
        ids = [*one.tokens, EOS] if one.finished else one.tokens
        assert one.score == pytest.approx(score(toy, source, first, ids), abs=1e-4)


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("beam_groups", (6, 4, 0.5, 1)),
        ("beam_groups", (6, 0, 0.5, 1)),
        ("diversity_penalty", (6, 3, -0.5, 1)),
        ("n_best", (6, 3, 0.5, 7)),
    ],
)
def test_illegal_values_are_named(key: str, values: tuple[int, int, float, int]) -> None:
    with pytest.raises(ConfigError, match=rf"search\.{key}"):
        diverse(*values)
