"""Laws of every search, over conf/search/*.yaml and over toy models whose state decides what comes next."""

import itertools

import pytest
import torch
from apart import ROOT
from composition import composed
from torch import Tensor
from toy_search import (
    FORBIDDEN,
    TOKENS,
    VOCABULARY,
    Toy,
    assert_same,
    batch_of,
    beam,
    exhaustive,
    greedy,
    score,
    search_all,
)

from seq2seq.config.build import build
from seq2seq.errors import ConfigError
from seq2seq.network.state import State
from seq2seq.search.base import Request, Search, top_k
from seq2seq.search.beam import Beam
from seq2seq.search.beam_search import LengthPenalty
from seq2seq.search.greedy import Greedy
from seq2seq.search.mbr import MBR
from seq2seq.search.sampling import Sampling
from seq2seq.special_tokens import EOS

MEMBERS = sorted(path.stem for path in ROOT.glob("conf/search/*.yaml"))


@pytest.fixture(params=MEMBERS, scope="module")
def member(request: pytest.FixtureRequest) -> Search:
    few = ["search.candidates.num_samples=3"] if request.param == "mbr" else []
    search = build(composed("translate", "model=x", f"search={request.param}", *few)["search"])
    assert callable(search)
    return search  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("kind", "alpha"), [("gnmt", 0.0), ("gnmt", 1.0), ("power", 1.0)])
def test_a_beam_wide_enough_equals_exhaustive_search(seed: int, kind: str, alpha: float) -> None:
    toy = Toy(seed)
    source, mask, first = batch_of(3, 1, 2)
    search = beam(2000, 2000, kind, alpha, 1.0)  # longest lengths 5, 3, 4
    found = search_all(search, toy, source, mask, first)
    for row, length in enumerate([3, 1, 2]):
        expected = exhaustive(toy, source[row : row + 1, :length], first[row], length + 2, LengthPenalty(kind, alpha))
        assert_same(found[row], expected)


@pytest.mark.parametrize("seed", range(20))
def test_a_narrow_beam_scores_its_hypotheses_rightly(seed: int) -> None:
    toy = Toy(seed)
    source, mask, first = batch_of(5, 2, 7)
    for row, found in enumerate(search_all(beam(3, best=3), toy, source, mask, first)):
        assert 1 <= len(found) <= 3
        assert len({tuple(one.tokens) for one in found}) == len(found)
        assert found == sorted(found, key=lambda one: (not one.finished, -one.normalised))
        for one in found:
            tokens = [*one.tokens, EOS] if one.finished else one.tokens
            assert one.score == pytest.approx(
                score(toy, source[row : row + 1][:, mask[row]], first[row], tokens), abs=1e-4
            )


@pytest.mark.parametrize("seed", range(20))
def test_a_beam_of_one_equals_greedy(seed: int) -> None:
    toy = Toy(seed)
    batch = batch_of(4, 9, 1, 6, 2)
    alone = search_all(greedy(2.0, 2), toy, *batch)
    for alpha in (0.0, 1.0):
        found = search_all(beam(1, kind="power", alpha=alpha), toy, *batch)
        for row in range(5):
            [one] = alone[row]
            assert_same(found[row], [one if alpha else one._replace(normalised=one.score)])


@pytest.mark.parametrize("seed", range(5))
def test_greedy_takes_the_likeliest_token(seed: int) -> None:
    toy = Toy(seed)
    source, mask, first = batch_of(4)
    [[found]] = search_all(greedy(1.0, 2), toy, source, mask, first)
    ids = [*found.tokens, EOS] if found.finished else found.tokens
    for length, chosen in enumerate(ids):
        choices = TOKENS if length == 0 else [*TOKENS, EOS]
        assert chosen == max(choices, key=lambda token: score(toy, source, first[0], [*ids[:length], token]))


@pytest.mark.parametrize("seed", range(20))
def test_ending_early_does_not_lose_the_winner(seed: int) -> None:
    """With every hypothesis open, the one returned when no other can win any more is the best of all."""
    toy = Toy(seed, sharpness=12.0)
    source, mask, first = batch_of(3)
    [[found]] = search_all(beam(2000, 1, "power", 1.0, 1.0), toy, source, mask, first)
    assert_same([found], exhaustive(toy, source, first[0], 5, LengthPenalty("power", 1.0))[:1])


def test_looking_ahead_ends_searches_earlier_and_far_enough_loses_nothing() -> None:
    """Of mean log-probabilities, which a long and nearly certain rest raises."""
    batch = batch_of(4, 9, 1, 6, 2)
    steps: dict[int | None, int] = {None: 0, 1000: 0, 2: 0, 1: 0}
    found: dict[int | None, list[list[int]]] = {lookahead: [] for lookahead in steps}
    for seed, lookahead in itertools.product(range(20), steps):
        toy = Toy(seed, sharpness=4.0)
        rows = search_all(Beam(4, 1, "power", 1.0, 2.0, 2, 0.0, 0, lookahead), toy, *batch)
        found[lookahead] += [one.tokens for [one] in rows]
        steps[lookahead] += len(toy.longest_batch)
    assert found[1000] == found[None] and steps[1000] == steps[None]
    assert steps[1] < steps[2] < steps[None]
    kept = [one == other for one, other in zip(found[1], found[None], strict=True)]
    assert sum(kept) > 0.5 * len(kept)
    with pytest.raises(ConfigError, match=r"search\.lookahead"):
        Beam(4, 1, "power", 1.0, 2.0, 2, 0.0, 0, 0)


def test_a_search_ends_when_no_open_hypothesis_can_win() -> None:
    """Token 4 and then EOS are all but certain: two steps, though the beam is far from full and the limit is 48."""
    lengths = []

    def step(tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        lengths.append(tokens.shape[1])
        likely = torch.tensor([0.0, 0, 0, 30 if len(lengths) > 1 else 0, 15, 0, 0])
        return likely.log_softmax(-1).expand(*tokens.shape, VOCABULARY).clone(), state

    for [found] in beam(5, factor=10.0)(Toy(0).start, step, Request(*batch_of(4, 2), FORBIDDEN)):
        assert found.tokens == [4]
    assert len(lengths) == 2


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_hypotheses_that_end_too_early_do_not_crowd_out_a_certain_one(width: int) -> None:
    """Token 4 is all but certain eight times, and then EOS; of all else EOS is the likeliest."""
    lengths = []

    def step(tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        lengths.append(tokens.shape[1])
        likely = torch.zeros(VOCABULARY)
        likely[[4, EOS]] = torch.tensor([9.0, 4.0] if len(lengths) < 9 else [0.0, 9.0])
        return likely.log_softmax(-1).expand(*tokens.shape, VOCABULARY).clone(), state

    [[found]] = beam(width, factor=10.0)(Toy(0).start, step, Request(*batch_of(4), FORBIDDEN))
    assert found.tokens == [4] * 8 and found.finished


def test_neighbours_and_padding_change_nothing(member: Search) -> None:
    toy = Toy(3)
    source, mask, first = batch_of(4, 9, 1, 6, 2, 12)
    together = search_all(member, toy, source, mask, first)
    assert len(together) == 6
    order = torch.tensor([5, 0, 3, 1, 4, 2])
    shuffled = search_all(member, toy, source[order], mask[order], first[order])
    wider = torch.nn.functional.pad(source, (0, 5)), torch.nn.functional.pad(mask, (0, 5)), first
    padded = search_all(member, toy, *wider)
    for row in range(6):
        alone = search_all(
            member, toy, source[row : row + 1][:, mask[row]], mask[row : row + 1][:, mask[row]], first[row : row + 1]
        )
        assert_same(alone[0], together[row])
        assert_same(padded[row], together[row])
        assert_same(shuffled[order.tolist().index(row)], together[row])


def test_finished_sentences_leave_the_batch(member: Search) -> None:
    if isinstance(member, MBR):
        member = member.candidates
        assert isinstance(member, Sampling)
        member.num_samples = 1
    toy = Toy(3)
    search_all(member, toy, *batch_of(*range(1, 30)))
    assert toy.longest_batch[0] == 29
    assert toy.longest_batch == sorted(toy.longest_batch, reverse=True)
    assert toy.longest_batch[-1] < 5


def never_ends(tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
    logits = torch.zeros(*tokens.shape, VOCABULARY)
    logits[..., EOS] = -50.0
    logits[..., 4] = 3.0
    return logits, state


@pytest.mark.parametrize("search", [greedy(1.5, 3), beam(1, factor=1.5), beam(4, best=2, factor=1.5)])
def test_the_longest_length_is_kept(search: Search) -> None:
    source, mask, first = batch_of(4, 2, 9)
    found = search(Toy(0).start, never_ends, Request(source, mask, first, FORBIDDEN))
    offset = 3 if isinstance(search, Greedy) else 2
    assert [len(row[0].tokens) for row in found] == [6 + offset, 3 + offset, 13 + offset]
    assert not any(one.finished for row in found for one in row)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_line_never_vanishes_and_forbidden_ids_never_appear(width: int) -> None:
    """EOS and the forbidden ids are by far the likeliest, and yet the translation is one real token."""

    def step(tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        likely = torch.tensor([9.0, 0, 9, 8, 1, 0, 0]).log_softmax(-1)
        return likely.expand(*tokens.shape, VOCABULARY).clone(), state

    for search in (greedy(1.0, 2), beam(width)):
        for [found] in search(Toy(0).start, step, Request(*batch_of(4, 2), FORBIDDEN)):
            assert found.tokens == [4]
            assert found.finished


@pytest.mark.parametrize("vocabulary", [3, 64, 130, 640, 700, 8000])
@pytest.mark.parametrize("count", [1, 5])
def test_the_likeliest_are_found_whatever_the_size(vocabulary: int, count: int) -> None:
    scores = torch.randn(3, 2, vocabulary, generator=torch.Generator().manual_seed(vocabulary))
    scores[0, 0, -count:] += 10  # in the part that fills no block
    values, ids = top_k(scores, count)
    wanted = scores.topk(min(count, vocabulary))
    assert torch.equal(values, wanted.values)
    assert torch.equal(ids, wanted.indices)


def test_penalties() -> None:
    lengths = torch.tensor([1, 7])
    assert LengthPenalty("power", 1.0)(lengths).tolist() == [1, 7]
    assert LengthPenalty("gnmt", 1.0)(lengths).tolist() == [1, 2]
    assert LengthPenalty("gnmt", 0.0)(lengths).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("beam_size", (0, 1, "gnmt", 1.0, 1.0, 2)),
        ("n_best", (4, 5, "gnmt", 1.0, 1.0, 2)),
        ("length_penalty", (4, 1, "google", 1.0, 1.0, 2)),
        ("alpha", (4, 1, "gnmt", -1.0, 1.0, 2)),
        ("max_length_ratio", (4, 1, "gnmt", 1.0, -1.0, 2)),
        ("max_length_extra", (4, 1, "gnmt", 1.0, 1.0, 1)),
    ],
)
def test_illegal_values_are_named(key: str, values: tuple[int, int, str, float, float, int]) -> None:
    with pytest.raises(ConfigError, match=f"search.{key}"):
        Beam(*values, 0.0, 0)
