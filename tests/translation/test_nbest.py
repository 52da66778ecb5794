"""N-best lists: texts differ, the ranking says why they stand as they do, and the best is that of no list."""

from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from toy_search import beam
from toy_translator import DIRECTIONS, random_model, toy_tokenizer

from seq2seq.errors import ModelError
from seq2seq.search.base import HasNBest, Hypothesis, Search
from seq2seq.search.beam_search import LengthPenalty
from seq2seq.search.constrained import Constrained
from seq2seq.search.diverse import Diverse
from seq2seq.search.greedy import Greedy
from seq2seq.translation.nbest import distinct, followed
from seq2seq.translation.translation import Translation
from seq2seq.translation.translator import Translator

LINES = ["the dog sees the house.", "two big dog", "the house", "dog dog dog"]
SEARCHES: dict[str, Search] = {
    "beam": beam(6, 6, factor=1.0),
    "constrained": Constrained(6, 6, "gnmt", 1.0, 1.0, 5, 0.0, 0),
    "diverse": Diverse(6, 3, 0.5, 6, "gnmt", 1.0, 1.0, 5, 0.0, 0),
}


def translated(search: Search) -> list[Translation]:
    parts = (random_model(), toy_tokenizer(), search, DIRECTIONS, 60, 600)
    return list(Translator(*parts, torch.float32, torch.device("cpu")).translate(LINES, "en", "de", tokens=True))


@pytest.mark.parametrize("name", SEARCHES)
def test_texts_differ_and_are_ordered_by_their_ranking(name: str) -> None:
    penalty = LengthPenalty("gnmt", 1.0)
    for one in translated(SEARCHES[name]):
        assert len({each.text for each in one.best}) == len(one.best) >= 4  # it writes bytes that are no text
        assert one.text == one.best[0].text and one.score == one.best[0].score
        for each in one.best:
            divisor = float(penalty(torch.tensor([len(each.tokens)])))
            assert each.ranking == pytest.approx(each.score / divisor, rel=1e-4)
        finished = [each for each in one.best if each.tokens[-1].piece == "</s>"]
        assert all(first.ranking >= second.ranking for first, second in pairwise(finished))  # type: ignore[operator]


def test_the_best_is_that_of_no_list() -> None:
    lists, alone = translated(beam(6, 6, factor=1.0)), translated(beam(6, 1, factor=1.0))
    assert [one.text for one in lists] == [one.text for one in alone]


def hypothesis(token: int, normalised: float, finished: bool = True) -> Hypothesis:
    return Hypothesis([token], 2 * normalised, normalised, finished)


def test_the_first_of_a_text_stays_and_others_take_their_places() -> None:
    a, b, c = hypothesis(1, -1.0), hypothesis(2, -2.0), hypothesis(3, -3.0)
    cut, better, between = hypothesis(4, -0.1, False), hypothesis(5, -0.5), hypothesis(6, -1.5)
    assert distinct([a, b, c], ["x", "x", "y"]) == [a, c]
    assert followed([a, c], [better, b, between, cut]) == [a, between, b, c, cut]


@pytest.mark.parametrize("name", SEARCHES)
def test_a_wider_search_returns_twice_as_many(name: str) -> None:
    search = SEARCHES[name]
    assert isinstance(search, HasNBest) and search.n_best == 6
    wider = search.extended()
    assert isinstance(wider, HasNBest) and wider.n_best == 12 and search.n_best == 6


@pytest.mark.parametrize("search", [Greedy(1.0, 5, 0.0, 0), beam(3, 3), Constrained(3, 3, "gnmt", 1.0, 1.0, 5, 0.0, 0)])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e38])
def test_a_model_that_computes_no_numbers_is_refused(search: Search, value: float) -> None:
    model = deepcopy(random_model())  # which other tests share
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    parts = (model, toy_tokenizer(), search, DIRECTIONS, 60, 600)
    with pytest.raises(ModelError, match="no finite numbers"):
        list(Translator(*parts, torch.float32, torch.device("cpu")).translate(LINES, "en", "de"))
