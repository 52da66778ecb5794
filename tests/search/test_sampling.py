"""Laws of sampling: what is drawn is what the distribution says, and depends on seed, key and position only."""

import numpy as np
import pytest
import torch
from torch import Tensor
from toy_search import greedy, sampling

from seq2seq.errors import ConfigError
from seq2seq.network.state import State
from seq2seq.search import sampling as module
from seq2seq.search.base import Hypothesis, Request
from seq2seq.search.sampling import Sampling
from seq2seq.special_tokens import BOS, EOS, PAD

VOCABULARY = 7
FORBIDDEN = torch.tensor([PAD, BOS])
DRAWS = 4000


class Toy:
    """What comes next depends on the last two tokens, and on the row's source."""

    def __init__(self, sharpness: float = 1.5) -> None:
        draw = torch.Generator().manual_seed(3)
        self.table = torch.randn(VOCABULARY, VOCABULARY, VOCABULARY, generator=draw) * sharpness

    def start(self, source: Tensor, mask: Tensor) -> tuple[State, State]:
        return (), ((source * mask).sum(1, keepdim=True) % VOCABULARY,)

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        (before,) = state
        return self.table[before, tokens].log_softmax(-1), (tokens,)


def rows(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """So many empty sources: the mask, the ids, and the first tokens."""
    return torch.zeros(count, 0, dtype=torch.long), torch.zeros(count, 0, dtype=torch.bool), torch.full((count,), BOS)


def drawn(search: Sampling, keys: Tensor, toy: Toy | None = None) -> list[Hypothesis]:
    toy = toy or Toy()
    return [one for [one] in search.draw(toy.start, toy.step, *rows(len(keys)), FORBIDDEN, keys)]


def first_probabilities(search: Sampling) -> Tensor:
    """Of a first token."""
    scores = Toy().table[0, BOS].log_softmax(-1)
    scores[[PAD, BOS, EOS]] = float("-inf")
    return probabilities(search, scores.unsqueeze(0))[0]


def probabilities(search: Sampling, scores: Tensor) -> Tensor:
    """What is drawn from, of the whole vocabulary."""
    ids, chances, settled = search.truncation.kept(scores, scores.shape[-1])
    assert settled.all()
    return torch.zeros_like(chances).scatter_(-1, ids, chances)


@pytest.mark.parametrize("search", [sampling(temperature=1e-4), sampling(top_k=1), sampling(top_p=1e-6)])
def test_cold_or_cut_to_one_it_is_greedy(search: Sampling) -> None:
    toy = Toy()
    source = torch.arange(40).view(20, 2) + 4
    request = Request(source, torch.ones(20, 2, dtype=torch.bool), torch.full((20,), BOS), FORBIDDEN)
    given = (toy.start, toy.step, request)
    assert search(*given) == greedy(0.0, 6)(*given)


@pytest.mark.parametrize(
    "search", [sampling(), sampling(temperature=0.5), sampling(temperature=3.0), sampling(top_k=2), sampling(top_p=0.7)]
)
def test_frequencies_are_the_probabilities(search: Sampling) -> None:
    """Pearson's chi-square; a sum above 5 times the degrees of freedom has a chance below one in a thousand."""
    expected = first_probabilities(search) * DRAWS
    found = torch.tensor([one.tokens[0] for one in drawn(search, torch.arange(DRAWS))]).bincount(minlength=VOCABULARY)
    possible = expected > 0
    assert 2 <= int(possible.sum()) <= 4 and not found[~possible].any()
    assert float(((found - expected)[possible] ** 2 / expected[possible]).sum()) < 5 * (int(possible.sum()) - 1)


def test_whole_lines_are_as_frequent_as_their_probability_says() -> None:
    """Of lines of one token: the product of what each step gives, among what may be drawn there."""
    toy = Toy(sharpness=0.5)
    found = drawn(sampling(), torch.arange(DRAWS), toy)
    short = [tuple(one.tokens) for one in found if one.finished and len(one.tokens) == 1]
    assert len(short) > DRAWS / 20 and len(set(short)) == 4
    barred = [PAD, BOS]
    for token in set(short):
        first = toy.table[0, BOS].index_fill(0, torch.tensor([*barred, EOS]), float("-inf")).softmax(0)[token[0]]
        second = toy.table[BOS, token[0]].index_fill(0, torch.tensor(barred), float("-inf")).softmax(0)[EOS]
        chance = float(first * second)
        assert short.count(token) / DRAWS == pytest.approx(chance, abs=4 * (chance / DRAWS) ** 0.5)


@pytest.mark.parametrize("number", [0.0, 1 - 2.0**-53])
def test_the_outermost_numbers_draw_what_may_be_drawn(number: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "uniform", lambda rows, seed, epoch, stream: np.full(len(rows), number))
    for search in (sampling(), sampling(temperature=0.3, top_k=2), sampling(temperature=7.0, top_p=0.5)):
        [one] = drawn(search, torch.arange(1))
        assert first_probabilities(search)[one.tokens[0]] > 0


def test_positions_draw_independently() -> None:
    """With a uniform distribution, the second token says nothing of the first."""
    toy = Toy(sharpness=0.0)
    found = [one.tokens[:2] for one in drawn(sampling(), torch.arange(DRAWS), toy) if len(one.tokens) > 1]
    counts = torch.zeros(VOCABULARY, VOCABULARY)
    for one, other in found:
        counts[one, other] += 1
    expected = counts.sum(1, keepdim=True) * counts.sum(0, keepdim=True) / counts.sum()
    possible = expected > 0
    assert int(possible.sum()) == 16  # 4 tokens twice
    assert float(((counts - expected)[possible] ** 2 / expected[possible]).sum()) < 28  # 9 degrees: one in a thousand


def test_scores_are_the_models_own() -> None:
    toy = Toy()
    for one in drawn(sampling(temperature=2.0, top_k=3, top_p=0.9), torch.arange(50)):
        before, last, total = 0, BOS, 0.0
        for token in [*one.tokens, EOS] if one.finished else one.tokens:
            total += float(toy.table[before, last].log_softmax(0)[token])
            before, last = last, token
        assert one.score == pytest.approx(total, abs=1e-4)
        assert one.normalised == pytest.approx(total / (len(one.tokens) + one.finished), abs=1e-4)


@pytest.mark.parametrize("top_p", [0.05, 0.3, 0.6, 0.9, 0.999, 1.0])
def test_top_p_keeps_the_smallest_set(top_p: float) -> None:
    scores = torch.randn(50, 30, generator=torch.Generator().manual_seed(1)) * 2
    whole, cut = scores.double().softmax(-1), probabilities(sampling(top_p=top_p), scores)
    torch.testing.assert_close(cut.sum(-1), torch.ones(50, dtype=torch.float64))
    for before, after in zip(whole, cut, strict=True):
        kept = before[after > 0]
        assert float(kept.sum()) >= top_p - 1e-9  # enough
        if len(kept) > 1:
            assert float(kept.sum() - kept.min()) < top_p  # without its least member not enough
        if len(kept) < len(before):
            assert kept.min() >= before[after == 0].max()  # and no likelier one was left out
        torch.testing.assert_close(after[after > 0], kept / kept.sum())


@pytest.mark.parametrize("top_k", [1, 3, 30, 99])
def test_top_k_keeps_the_likeliest(top_k: int) -> None:
    scores = torch.randn(20, 30, generator=torch.Generator().manual_seed(1))
    cut = probabilities(sampling(top_k=top_k), scores)
    for before, after in zip(scores.double().softmax(-1), cut, strict=True):
        values, ids = before.topk(min(top_k, 30))
        torch.testing.assert_close(after[ids], values / values.sum())
        assert int((after > 0).sum()) == min(top_k, 30)


def test_temperature_comes_first_then_k_then_p() -> None:
    chances = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    found = probabilities(sampling(temperature=0.5, top_k=3, top_p=0.8), chances.log())[0]
    squared = torch.tensor([0.16, 0.09, 0.04], dtype=torch.float64)
    squared = squared / squared.sum()  # 0.55, 0.31, 0.14: two of them are enough
    torch.testing.assert_close(found[:2], squared[:2] / squared[:2].sum(), rtol=1e-6, atol=0)
    assert found[2:].tolist() == [0, 0]


def test_draws_depend_on_seed_and_key_and_on_nothing_else() -> None:
    search, keys = sampling(), torch.arange(30)
    together = drawn(search, keys)
    assert drawn(sampling(), keys) == together
    assert drawn(sampling(seed=2), keys) != together
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    assert drawn(search, order) == [together[number] for number in order.tolist()]
    assert [drawn(search, keys[number : number + 1])[0] for number in range(30)] == together
    assert len({tuple(one.tokens) for one in together}) > 10


def test_a_line_draws_the_same_wherever_it_stands_and_other_lines_do_not() -> None:
    toy, search = Toy(sharpness=0.0), sampling()
    source = torch.tensor([[7, 8, 0], [9, 8, 7], [7, 8, 0], [7, 8, 9]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 1, 0], [1, 1, 1]]).bool()
    request = Request(source, mask, torch.full((4,), 5), FORBIDDEN)
    found = [one.tokens for [one] in search(toy.start, toy.step, request)]
    assert found[0] == found[2] and len({tuple(tokens) for tokens in found}) == 3
    request = Request(source[:1], mask[:1], torch.full((1,), 6), FORBIDDEN)
    [[other]] = search(toy.start, toy.step, request)
    assert other.tokens != found[0]


@pytest.mark.parametrize("typical", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_typical_keeps_the_smallest_set_nearest_to_the_entropy(typical: float) -> None:
    scores = torch.randn(50, 30, generator=torch.Generator().manual_seed(1)) * 2
    whole, cut = scores.double().softmax(-1), probabilities(sampling(typical=typical), scores)
    for before, after in zip(whole, cut, strict=True):
        strange = (-before.log() + (before * before.log()).sum()).abs()
        kept, last = before[after > 0], before[strange == strange[after > 0].max()]
        assert float(kept.sum()) >= typical - 1e-9
        if len(kept) > 1:
            assert float(kept.sum() - last.sum()) < typical
        if len(kept) < len(before):
            assert strange[after > 0].max() <= strange[after == 0].min()
        torch.testing.assert_close(after[after > 0], kept / kept.sum())


def test_what_top_p_cuts_away_is_never_typical() -> None:
    chances = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    found = probabilities(sampling(top_p=0.7, typical=0.9), chances.log())[0]
    torch.testing.assert_close(found, torch.tensor([4 / 7, 3 / 7, 0, 0], dtype=torch.float64))


@pytest.mark.parametrize("size", [1, 3, 30])
def test_several_draws_are_as_many_single_ones(size: int) -> None:
    """Whatever the batch; the first is that of a count of 1, the best normalised comes first."""
    keys = torch.arange(size)
    toy, five = Toy(), sampling(count=5)
    several = five(toy.start, toy.step, Request(*rows(size), FORBIDDEN, keys))
    alone = [five(toy.start, toy.step, Request(*rows(1), FORBIDDEN, keys[row : row + 1]))[0] for row in range(size)]
    assert several == alone
    for ones, single in zip(several, drawn(sampling(), keys), strict=True):
        assert len(ones) == 5 and single in ones
        assert [one.normalised for one in ones] == sorted((one.normalised for one in ones), reverse=True)
    assert len({tuple(one.tokens) for ones in several for one in ones}) > min(size, 5)


def test_draws_of_a_sentence_are_as_independent_as_those_of_several() -> None:
    toy = Toy(sharpness=0.0)
    search, request = sampling(count=2000), Request(*rows(2), FORBIDDEN, torch.arange(2))
    several = search(toy.start, toy.step, request)
    with pytest.raises(ConfigError, match=r"search\.num_samples: expected 1 in training"):
        drawn(search, torch.arange(2))
    for ones in several:
        counts = torch.tensor([one.tokens[0] for one in ones]).bincount(minlength=VOCABULARY)[[1, 4, 5, 6]]
        assert float(((counts - 500) ** 2 / 500).sum()) < 16.3  # 3 degrees: one in a thousand


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("temperature", (0.0, None, 1.0, 1.0, 1, 1)),
        ("temperature", (float("nan"), None, 1.0, 1.0, 1, 1)),
        ("top_k", (1.0, 0, 1.0, 1.0, 1, 1)),
        ("top_p", (1.0, None, 0.0, 1.0, 1, 1)),
        ("top_p", (1.0, None, 1.1, 1.0, 1, 1)),
        ("typical_p", (1.0, None, 1.0, 0.0, 1, 1)),
        ("num_samples", (1.0, None, 1.0, 1.0, 0, 1)),
        ("seed", (1.0, None, 1.0, 1.0, 1, -1)),
    ],
)
def test_illegal_values_are_named(key: str, values: tuple[float, int | None, float, float, int, int]) -> None:
    with pytest.raises(ConfigError, match=rf"search\.{key}"):
        Sampling(*values, 1.0, 2, 0.0, 0)
