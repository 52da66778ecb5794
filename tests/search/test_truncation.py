"""The law of cutting distributions: looking at few tokens draws what sorting the whole vocabulary draws."""

import pytest
import torch
from torch import Tensor

from seq2seq.search import sampling as module
from seq2seq.search.sampling import Truncation

VOCABULARY, ROWS, TIMES = 1000, 24, 20
CUTS = [
    (1.0, None, 1.0, 1.0),
    (0.6, 7, 1.0, 1.0),
    (1.0, 250, 1.0, 1.0),
    (1.0, 600, 1.0, 1.0),
    (1.5, None, 0.8, 1.0),
    (1.0, None, 1.0, 0.3),
    (1.0, None, 1.0, 0.9),
    (0.9, 100, 0.7, 0.8),
    (1.0, None, 0.6, 0.5),
]


def said() -> Tensor:
    """Log-probabilities, sharp ones and flat ones by turns, many equal as in bf16, and a tenth impossible."""
    draw = torch.Generator().manual_seed(5)
    sharpness = torch.linspace(0.1, 6, ROWS).view(2, -1).T.reshape(-1, 1)
    scores = torch.randn(ROWS, VOCABULARY, generator=draw) * sharpness
    scores = ((scores * 4).round() / 4).masked_fill(torch.rand(scores.shape, generator=draw) < 0.1, -torch.inf)
    return scores.log_softmax(-1)


def whole(scores: Tensor, temperature: float, top_k: int | None, top_p: float, typical: float) -> Tensor:
    """The distribution of one row, by the book."""
    chances = (scores.double() / temperature).softmax(-1)
    if top_k is not None:
        chances = first(-chances, chances, top_k, 2.0)
    if top_p < 1:
        chances = first(-chances, chances, VOCABULARY, top_p)
    if typical < 1:
        entropy = -(chances[chances > 0] * chances[chances > 0].log()).sum()
        chances = first((-chances.log() - entropy).abs(), chances, VOCABULARY, typical)
    return chances


def first(order: Tensor, chances: Tensor, most: int, mass: float) -> Tensor:
    """The first of them, of equals those with the smallest ids; scaled up."""
    kept, held = torch.zeros_like(chances), 0.0
    for token in sorted(range(VOCABULARY), key=lambda token: (float(order[token]), token))[:most]:
        if held >= mass:
            break
        kept[token] = chances[token]
        held += float(chances[token])
    return kept / kept.sum()


@pytest.mark.parametrize("cuts", CUTS)
def test_draws_are_those_of_the_whole_vocabulary(cuts: tuple[float, int | None, float, float]) -> None:
    scores = said()
    numbers = torch.rand(ROWS, TIMES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    chances = torch.stack([whole(row, *cuts) for row in scores])
    wanted = torch.searchsorted(chances.cumsum(-1), numbers, right=True)
    truncation = Truncation(*cuts)
    for time in range(TIMES):
        assert torch.equal(truncation.drawn(scores, numbers[:, time]), wanted[:, time])
    ids, found, settled = truncation.kept(scores, module.FIRST)
    torch.testing.assert_close(found[settled], chances.gather(1, ids)[settled], rtol=1e-9, atol=1e-15)
    torch.testing.assert_close(chances.gather(1, ids)[settled].sum(1), torch.ones(int(settled.sum())).double())


def test_sharp_rows_are_settled_at_once_and_flat_ones_are_not() -> None:
    """Else these tests, or the short way, would be in vain."""
    for cuts in CUTS[4:7]:
        settled = Truncation(*cuts).kept(said(), module.FIRST).settled
        assert settled[-1] and not settled[0], cuts
    for cuts in CUTS[1:3]:
        assert Truncation(*cuts).kept(said(), module.FIRST).settled.any(), cuts
    forced = torch.full((1, VOCABULARY), -torch.inf)
    forced[0, 7] = 0.0
    assert Truncation(*CUTS[1]).kept(forced, module.FIRST).settled, "what is impossible is not missed"


@pytest.mark.parametrize("cuts", CUTS)
def test_neighbours_change_no_draw(cuts: tuple[float, int | None, float, float]) -> None:
    scores, truncation = said(), Truncation(*cuts)
    numbers = torch.rand(ROWS, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    together = truncation.drawn(scores, numbers)
    for row in range(ROWS):
        assert truncation.drawn(scores[row : row + 1], numbers[row : row + 1]) == together[row]


def test_of_equal_tokens_the_first_stay() -> None:
    """However many are equal: 300 tokens share the second place of a top 5."""
    scores = torch.full((1, VOCABULARY), -9.0)
    scores[0, 500:800], scores[0, 900] = -2.0, -1.0
    truncation = Truncation(1.0, 5, 1.0, 1.0)
    assert not truncation.kept(scores, module.FIRST).settled, "of the 300, any could have been looked at"
    drawn = {int(truncation.drawn(scores, torch.tensor([at / 50]).double())) for at in range(50)}
    assert drawn == {500, 501, 502, 503, 900}
