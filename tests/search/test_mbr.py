"""Laws of minimum Bayes risk: what it chooses is what comparing every pair would choose."""

import random
import string
from pathlib import Path

import pytest
import torch
from composition import composed
from toy_labels import generated, generation
from toy_language import prepared, toy_language_model
from toy_network import members
from toy_search import FORBIDDEN, Toy, batch_of, beam, sampling
from toy_translator import DIRECTIONS, random_model, toy_tokenizer

from seq2seq.config.build import build
from seq2seq.errors import ConfigError
from seq2seq.evaluation.sentence_metric import BLEU, ChrF, overlaps
from seq2seq.search.base import Request, Reranker, Search
from seq2seq.search.mbr import MBR
from seq2seq.tasks.language_model.sampler import Sampler
from seq2seq.translation.translator import Translator

UTILITIES = [ChrF(), BLEU()]
EDGES = ["", " ", "a", "aa", "a a", "aaaaaaaa", "?", "the", "The cat.", "the cat .", "日本 語"]


def random_texts(seed: int, count: int) -> list[str]:
    """Lines of a few words that come again and again."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(string.ascii_lowercase[:5], k=draw.randint(1, 4))) for _ in range(8)]
    return [" ".join(draw.choices(words, k=draw.randint(0, 9))) for _ in range(count)]


@pytest.mark.parametrize("utility", UTILITIES, ids=["chrf", "bleu"])
@pytest.mark.parametrize("texts", [EDGES, random_texts(1, 20), random_texts(2, 20), ["one"], [""], ["", ""]])
def test_all_pairs_are_each_pair(utility: ChrF | BLEU, texts: list[str]) -> None:
    expected = torch.tensor([utility(texts, reference, "de") for reference in texts], dtype=torch.float64).T
    torch.testing.assert_close(utility.pairwise(texts, "de"), expected, rtol=1e-9, atol=1e-9)


def test_words_of_unspaced_languages_are_those_of_the_metric() -> None:
    texts = ["我們去學校", "我們去公園玩", "他們去學校"]
    expected = torch.tensor([BLEU()(texts, reference, "zh") for reference in texts], dtype=torch.float64).T
    torch.testing.assert_close(BLEU().pairwise(texts, "zh"), expected)


def test_overlaps_count_what_both_have() -> None:
    one, two, three = overlaps([[7, 7, 8], [7, 7, 7, 7], []], 3)
    assert one.totals.tolist() == [3, 4, 0] and two.totals.tolist() == [2, 3, 0] and three.totals.tolist() == [1, 2, 0]
    assert one.matches.tolist() == [[3, 2, 0], [2, 4, 0], [0, 0, 0]]
    assert two.matches.tolist() == [[2, 1, 0], [1, 3, 0], [0, 0, 0]]
    assert three.matches.tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 0]]


@pytest.mark.parametrize("utility", UTILITIES, ids=["chrf", "bleu"])
@pytest.mark.parametrize("seed", range(5))
def test_the_choice_is_that_of_a_double_loop(utility: ChrF | BLEU, seed: int) -> None:
    texts = [text or "a" for text in random_texts(seed, 12)]
    texts += texts[:2] * seed  # what was drawn again counts again
    means = {text: sum(utility([text], other, "de")[0] for other in texts) for text in texts}
    found = MBR(beam(1), utility, 100).rerank(texts, "de")
    assert [texts[place] for place in found] == sorted(means, key=lambda text: -means[text])
    assert all(texts.index(texts[place]) == place for place in found)
    assert MBR(beam(1), utility, 2).rerank(texts, "de") == found[:2]


def test_what_comes_again_counts_again() -> None:
    texts = ["one two three", "four five six", "seven eight nine"]
    assert MBR(beam(1), ChrF(), 1).rerank([*texts, texts[2]], "en") == [2]


@pytest.mark.parametrize("candidates", [beam(1), sampling(), beam(3)])
def test_one_candidate_is_the_candidate(candidates: Search) -> None:
    toy, (source, mask, first) = Toy(1), batch_of(4, 2)
    request = Request(source, mask, first, FORBIDDEN)
    search = MBR(candidates, ChrF(), 1)
    assert search(toy.start, toy.step, request) == candidates(toy.start, toy.step, request)
    assert search.rerank(["anything"], "en") == [0] and isinstance(search, Reranker)


def test_a_translator_asks_for_the_decision() -> None:
    lines = ["the dog sees the house.", "two big dog", "", "house house"]

    def translated(search: Search) -> list[tuple[str, ...]]:
        parts = (random_model(), toy_tokenizer(), search, DIRECTIONS)
        translator = Translator(*parts, 100, 500, torch.float32, torch.device("cpu"))
        return [tuple(text for text, *_ in one.best) for one in translator.translate(lines, "en", "de")]

    draws = sampling(temperature=0.7, count=8, factor=1.0)
    every, chosen = translated(draws), translated(MBR(draws, ChrF(), 1))
    assert [len(one) for one in chosen] == [1, 1, 0, 1]
    pairs = [pair for pair in zip(every, chosen, strict=True) if pair[0]]
    for texts, best in pairs:
        assert best == (texts[MBR(draws, ChrF(), 1).rerank(texts, "de")[0]],)
    assert any(best[0] != texts[0] for texts, best in pairs)


def test_language_models_and_generators_ask_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The candidates are each line's draws; what is chosen is the last of them, by a decision made for the test."""
    draws = sampling(count=6)
    decided = MBR(draws, ChrF(), 1)
    monkeypatch.setattr(decided, "rerank", lambda texts, language: [len(texts) - 1])
    parts = toy_language_model(), prepared(tmp_path).tokenizer, ["en"]
    place = torch.float32, torch.device("cpu")
    [[one]], [[other]] = (Sampler(*parts, search, 1, *place).sample([""], "en") for search in (decided, draws))
    assert one.log_probability < other.log_probability
    [several] = generated(generation(draws), ["red"])
    [chosen] = generated(generation(decided), ["red"])
    assert len(several.best) == 6 and chosen.best == several.best[-1:]


@pytest.mark.parametrize("candidates", members("search/candidates"))
def test_candidates_are_chosen_by_name(candidates: str) -> None:
    utility = "bleu" if candidates == "beam" else "chrf"
    overrides = ["search=mbr", f"search/candidates={candidates}", f"search/utility={utility}"]
    search = build(composed("translate", "model=x", *overrides)["search"])
    assert isinstance(search, MBR) and isinstance(search.utility, BLEU if utility == "bleu" else ChrF)
    toy, (source, mask, first) = Toy(1), batch_of(4, 2)
    found = search(toy.start, toy.step, Request(source, mask, first, FORBIDDEN))
    assert all(len(ones) > 6 for ones in found)


def test_illegal_values_are_named() -> None:
    with pytest.raises(ConfigError, match=r"search\.n_best"):
        MBR(beam(1), ChrF(), 0)
