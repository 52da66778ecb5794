"""Laws of hypotheses that are given up: what is lost, and that nobody reads them any more."""

import pytest
import torch
from toy_search import FORBIDDEN, WIDTH, Toy, batch_of, exhaustive, score, search_all

from seq2seq.errors import ConfigError
from seq2seq.network.state import State
from seq2seq.search import layout
from seq2seq.search.base import IMPOSSIBLE, Hypothesis, Request
from seq2seq.search.beam import Beam
from seq2seq.search.beams import LengthPenalty
from seq2seq.search.layout import Layout
from seq2seq.symbols import EOS

BATCH = batch_of(4, 9, 1, 6, 2)


def beam(width: int, best: int, margin: float | None, lookahead: int | None) -> Beam:
    return Beam(width, best, "gnmt", 1.0, 2.0, 2, 0.0, 0, margin, lookahead)


def tokens(found: list[list[Hypothesis]]) -> list[list[list[int]]]:
    return [[one.tokens for one in row] for row in found]


class Counting(Toy):
    """Counts the hypotheses that were read."""

    read = 0

    def step(self, tokens: torch.Tensor, state: State, memory: State) -> tuple[torch.Tensor, State]:
        self.read += tokens.numel()
        return super().step(tokens, state, memory)


def test_what_could_not_win_even_at_no_cost_is_given_up_without_loss() -> None:
    """A beam that nothing falls out of: the best hypothesis of all is found, and fewer are read."""
    source, mask, first = batch_of(3)
    read = {None: 0, 1000: 0}
    for seed in range(10):
        for lookahead in read:
            toy = Counting(seed, 4.0)
            [[found]] = search_all(
                Beam(2000, 1, "power", 1.0, 1.0, 2, 0.0, 0, None, lookahead), toy, source, mask, first
            )
            read[lookahead] += toy.read
            best = exhaustive(toy, source, first[0], 5, LengthPenalty("power", 1.0))[0]
            assert (found.tokens, found.finished) == (best.tokens, best.finished)
    assert read[1000] < read[None]


@pytest.mark.parametrize("seed", range(20))
def test_what_stays_goes_on_from_its_own_state_and_sentence(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    toy, whole = Counting(seed, 2.0), Counting(seed, 2.0)
    source, mask, first = BATCH
    found = search_all(beam(4, 2, 1.0, 2), toy, *BATCH)
    for row, ones in enumerate(found):
        for one in ones:
            ids = [*one.tokens, EOS] if one.finished else one.tokens
            expected = score(toy, source[row : row + 1][:, mask[row]], first[row], ids)
            assert one.score == pytest.approx(expected, abs=1e-4)
    monkeypatch.setattr(layout, "WORTH", -1.0)  # all are read
    assert tokens(search_all(beam(4, 2, 1.0, 2), whole, *BATCH)) == tokens(found)
    counting = Counting(seed, 2.0)
    monkeypatch.undo()
    search_all(beam(4, 2, 1.0, 2), counting, *BATCH)
    assert counting.read < whole.read


@pytest.mark.parametrize("seed", range(10))
def test_the_best_that_are_asked_for_have_no_margin(seed: int) -> None:
    expected = search_all(beam(3, 3, None, None), Toy(seed), *BATCH)
    assert tokens(search_all(beam(3, 3, 1e-6, None), Toy(seed), *BATCH)) == tokens(expected)


def test_what_ending_costs_is_asked_of_the_hypothesis_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    source, mask, first = BATCH
    request = Request(source, mask, first, FORBIDDEN, ending=lambda state: state[0][..., 0].float() - 1)  # type: ignore[index, union-attr]
    for seed in range(5):
        toy = Toy(seed, 2.0)
        found = beam(4, 2, 1.0, 2)(toy.start, toy.step, request)
        with monkeypatch.context() as patched:
            patched.setattr(layout, "WORTH", -1.0)
            whole = beam(4, 2, 1.0, 2)(toy.start, toy.step, request)
        for few, all_read in zip(found, whole, strict=True):
            assert [one.tokens for one in few] == [one.tokens for one in all_read]
            assert [one.normalised for one in few] == pytest.approx([one.normalised for one in all_read], abs=1e-4)


def test_a_narrow_margin_is_a_greedy_search() -> None:
    """Only the best open hypothesis is left, and it is the better one of those that end with it."""
    for seed in range(10):
        [one, *_], *_ = search_all(beam(4, 1, 1e-9, None), Toy(seed), *BATCH)
        toy = Toy(seed)
        source, mask, first = (part[:1] for part in BATCH)
        for length in range(1, len(one.tokens) + 1):
            scores = [
                score(toy, source[:, mask[0]], first[0], [*one.tokens[: length - 1], token]) for token in range(7)
            ]
            likeliest = max((token for token in range(7) if token not in (0, 2, EOS)), key=lambda token: scores[token])
            assert one.tokens[length - 1] == likeliest


def test_a_layout_finds_every_state_again() -> None:
    """Three sentences, two hypotheses each, all states different: each goes on from its parent, whoever is missing."""
    state = torch.arange(6.0).view(3, 2, 1).expand(3, 2, WIDTH)
    rows, parents = torch.tensor([0, 2]), torch.tensor([[1, 1, 0], [0, 1, 1]])
    going = torch.tensor([[True, False, True], [False, False, True]])
    few, kept = Layout(3, 2).follow(state, rows, parents, going)
    assert isinstance(kept, torch.Tensor)
    assert kept[..., 0].tolist() == [[1], [0], [5]]
    numbers = torch.arange(6).view(2, 3)
    assert few.gather(numbers).tolist() == [[0], [2], [5]]
    assert few.memory(torch.tensor([[7.0], [8.0]])).tolist() == [[7], [7], [8]]  # type: ignore[union-attr]
    spread = few.spread(kept[..., 0], IMPOSSIBLE)
    assert spread.tolist() == [[1, IMPOSSIBLE, 0], [IMPOSSIBLE, IMPOSSIBLE, 5]]
    _, last = few.follow(kept, torch.tensor([1, 0]), torch.tensor([[2], [0]]), torch.ones(2, 1, dtype=torch.bool))
    assert isinstance(last, torch.Tensor)
    assert last[..., 0].tolist() == [[5], [1]]


@pytest.mark.parametrize(("margin", "lookahead", "named"), [(0.0, None, "margin"), (None, 0, "lookahead")])
def test_limits_without_meaning_are_refused(margin: float | None, lookahead: int | None, named: str) -> None:
    with pytest.raises(ConfigError, match=rf"search\.{named}"):
        beam(3, 1, margin, lookahead)
