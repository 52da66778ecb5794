"""Laws of searching among each sentence's pieces: with all of them nothing changes, with some neighbours do not."""

import numpy as np
import pytest
import torch
from toy_search import beam, greedy, sampling
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

from seq2seq.config.build import build
from seq2seq.device import Format
from seq2seq.network.coverage_penalty import CoveragePenalty
from seq2seq.network.ensemble import Ensemble
from seq2seq.network.inference.optimise import optimise_for_inference
from seq2seq.network.inference.shortlist_model import Shortlisted, columns
from seq2seq.network.model import Model
from seq2seq.network.state import AutoregressiveModel, map_state, select
from seq2seq.search.base import Hypothesis, Search
from seq2seq.search.constrained import Constrained
from seq2seq.search.diverse import Diverse
from seq2seq.special_tokens import EOS
from seq2seq.translation.searcher import DecodeOptions, Searcher, Segment
from seq2seq.translation.shortlist.search import shortlist_search
from seq2seq.translation.shortlist.shortlist import Candidates, Shortlist, leading
from seq2seq.translation.translator import Translator

CPU = torch.device("cpu")
SIZE = toy_tokenizer().sizes[1]
FIRST = leading(toy_tokenizer())
SEARCHES: dict[str, Search] = {
    "beam": beam(4, 2, factor=1.0, offset=5),
    "diverse": Diverse(4, 2, 0.5, 2, "gnmt", 1.0, 1.0, 5, 0.0, 0),
    "constrained": Constrained(4, 2, "gnmt", 1.0, 1.0, 5, 0.0, 0),
}


def biased_model() -> Model:
    """The random model, some of whose pieces are likelier than others whatever comes before."""
    size = toy_tokenizer().sizes[0]
    model: Model = build(random_node(), {"source_vocabulary": size, "target_vocabulary": size})
    model.load_state_dict(random_model().state_dict())
    with torch.no_grad():
        model.output_bias.normal_(generator=torch.Generator().manual_seed(6))
    return model.eval()


MODEL = biased_model()


def made(common: list[int], each: int, share: float = 6.0) -> Shortlist:
    """A shortlist into de: common pieces, and `each` drawn ones for every source piece."""
    draw = np.random.default_rng(5)
    pieces = np.concatenate([np.sort(draw.choice(SIZE, each, replace=False)) for _ in range(SIZE)])
    starts = np.arange(SIZE + 1) * each
    always = np.union1d(common, np.arange(FIRST)).astype(np.int64)
    return Shortlist({"de": Candidates(starts, pieces, draw.random(len(pieces)) + 0.01, always)}, share)


WHOLE = {"common": made([*range(SIZE)], 3), "own": made([], SIZE, 1e5), "both": made([*range(20, SIZE, 2)], SIZE, 1e5)}
SOME = made([*range(20, SIZE, 9)], 4, 2.0)


def parts() -> list[Segment]:
    """Sentences of 1 to 16 pieces."""
    draw = torch.Generator().manual_seed(4)
    lengths = [5, 1, 16, 3, 8, 8]
    return [Segment(torch.randint(FIRST, SIZE, (length,), generator=draw).tolist()) for length in lengths]


def searcher(search: Search, shortlist: Shortlist | None, model: AutoregressiveModel | None = None) -> Searcher:
    return Searcher(model or MODEL, search, toy_tokenizer(), torch.float32, CPU, shortlist=shortlist)


def found(by: Searcher, given: list[Segment], target: str = "de") -> list[list[Hypothesis]]:
    return [answer.hypotheses for answer in by(given, DecodeOptions(target))]


def assert_same(one: list[list[Hypothesis]], other: list[list[Hypothesis]]) -> None:
    assert [[x.tokens for x in row] for row in one] == [[x.tokens for x in row] for row in other]
    for row, same in zip(one, other, strict=True):
        for x, y in zip(row, same, strict=True):
            assert x.score == pytest.approx(y.score, abs=1e-3) and x.finished == y.finished


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("whole", WHOLE)
def test_with_all_pieces_nothing_changes(name: str, whole: str) -> None:
    assert_same(found(searcher(SEARCHES[name], WHOLE[whole]), parts()), found(searcher(SEARCHES[name], None), parts()))


@pytest.mark.parametrize("name", SEARCHES)
def test_neighbours_change_nothing(name: str) -> None:
    by, given = searcher(SEARCHES[name], SOME), parts()
    together = found(by, given)
    assert_same([found(by, [one])[0] for one in given], together)
    assert_same(found(by, given[::-1])[::-1], together)
    assert together != found(searcher(SEARCHES[name], None), given)  # else this says nothing


def test_translations_are_made_of_the_sentence_s_own_pieces() -> None:
    given = parts()
    own = SOME.lists([part.ids for part in given], "de", [()] * len(given))
    for pieces, hypotheses in zip(own, found(searcher(SEARCHES["beam"], SOME), given), strict=True):
        assert len(pieces) < SIZE // 2 and not set(pieces) & set(SOME.languages["de"].common)
        allowed = set(pieces) | set(SOME.languages["de"].common)
        assert all(set(one.tokens) <= allowed for one in hypotheses)
    assert len({tuple(pieces) for pieces in own}) > 1


def test_a_longer_sentence_has_more_candidates_and_the_likeliest_ones() -> None:
    likely = np.tile(np.linspace(1, 0.01, SIZE), SIZE)
    known = Candidates(np.arange(SIZE + 1) * SIZE, np.tile(np.arange(SIZE), SIZE), likely, np.arange(FIRST))
    short, long = Shortlist({"de": known}, 10.0).lists([[50], [50] * 12], "de", [(), (280,)])
    assert short.tolist() == [*range(FIRST, FIRST + 64)]  # of FEWEST
    assert long.tolist() == [*range(FIRST, FIRST + 120), 280]


def test_what_is_wished_is_met_whatever_the_list() -> None:
    given = parts()
    own = SOME.lists([part.ids for part in given], "de", [()] * len(given))
    common = SOME.languages["de"].common
    missing = [[piece for piece in range(FIRST, SIZE) if piece not in some and piece not in common] for some in own]
    plain = found(searcher(SEARCHES["constrained"], SOME), given)
    banned = [part._replace(banned=[[piece] for piece in others]) for part, others in zip(given, missing, strict=True)]
    assert found(searcher(SEARCHES["constrained"], SOME), banned) == plain  # they could not have come anyway
    wished = [
        Segment(part.ids, prefix=others[:2], required=[others[5:7]], banned=[before[0].tokens[:1], others[8:10]])
        for part, others, before in zip(given, missing, plain, strict=True)
    ]
    for part, hypotheses in zip(wished, found(searcher(SEARCHES["constrained"], SOME), wished), strict=True):
        tokens = hypotheses[0].tokens
        assert tokens[:2] == part.prefix
        assert any(tokens[place : place + 2] == part.required[0] for place in range(len(tokens)))
        assert part.banned[0][0] not in tokens[2:] or part.banned[0][0] in part.required[0]


def test_the_same_wishes_give_the_same_with_all_pieces() -> None:
    given = [
        part._replace(
            prefix=[20 + row],
            required=[[30 + row, 40]],
            banned=[[50], [20 + row, 60]],
            complete=[[20 + row], [30 + row, 40]],
        )
        for row, part in enumerate(parts())
    ]
    by = SEARCHES["constrained"]
    assert_same(found(searcher(by, WHOLE["both"]), given), found(searcher(by, None), given))


def test_other_searches_languages_and_networks_know_the_whole_vocabulary() -> None:
    model = MODEL
    assert searcher(SEARCHES["beam"], SOME).shortlist_search is not None
    for by in (
        searcher(sampling(), SOME),
        searcher(greedy(1.0, 5), SOME),
        searcher(SEARCHES["beam"], SOME, Ensemble([model, model], [1.0, 1.0])),
        searcher(SEARCHES["beam"], SOME, CoveragePenalty(model, 0.2)),
    ):
        assert by.shortlist_search is None
    on_a_gpu = torch.device("cuda")
    assert shortlist_search(SOME, SEARCHES["beam"], model, torch.float32, CPU) is not None
    assert shortlist_search(SOME, SEARCHES["beam"], model, torch.float32, on_a_gpu) is None
    into_en = found(searcher(SEARCHES["beam"], SOME), parts(), "en")
    assert_same(into_en, found(searcher(SEARCHES["beam"], None), parts(), "en"))


def test_a_list_is_sorted_however_likely_its_pieces_are() -> None:
    likely = np.random.default_rng(1).permutation(SIZE - FIRST) + 1.0
    starts = np.minimum(np.arange(SIZE + 1), 1) * len(likely)  # only the first source piece becomes anything
    known = Candidates(starts, np.arange(FIRST, SIZE), likely, np.arange(FIRST))
    best = np.sort(np.argsort(-likely)[:64] + FIRST)
    for wanted in ((), (int(best[5]),)):
        [own] = Shortlist({"de": known}, 1.0).lists([[0]], "de", [wanted])
        assert own.tolist() == best.tolist()


def test_it_can_be_turned_off() -> None:
    parts_of = (MODEL, toy_tokenizer(), SEARCHES["beam"], DIRECTIONS, 250, 500, torch.float32, CPU)
    assert Translator(*parts_of, shortlist=True, learnt_shortlist=SOME).searcher.shortlist_search is not None
    assert Translator(*parts_of, shortlist=False, learnt_shortlist=SOME).searcher.shortlist_search is None
    assert Translator(*parts_of, shortlist=True).searcher.shortlist_search is None


@pytest.mark.usefixtures("all_formats")
@pytest.mark.parametrize("packed", ["fp32", "bf16", "int8"])
def test_scores_are_those_of_the_model_among_the_list(packed: Format) -> None:
    """Also where sentences leave, change places, or all but one are gone."""
    model, dtype = biased_model(), torch.float32 if packed == "fp32" else torch.bfloat16
    atol = {"fp32": 1e-5, "bf16": 0.15, "int8": 0.25}[packed]  # the sentences' own matrices stay in bf16
    with torch.inference_mode(), torch.autocast("cpu", dtype=dtype, enabled=packed != "fp32"):
        optimise_for_inference(model, packed)
        own = torch.tensor([[20, 30, 40, 50], [21, 31, 0, 0], [60, 70, 80, 0]])
        layer = columns(model, torch.tensor([*range(FIRST), 100, 150]), dtype)
        short = Shortlisted(model, layer, own, torch.tensor([4, 2, 3]))
        source = torch.randint(FIRST, SIZE, (3, 6), generator=torch.Generator().manual_seed(2))
        memory, state = short.start(source, torch.ones_like(source, dtype=torch.bool))
        whole, _ = model.start(source, torch.ones_like(source, dtype=torch.bool))
        for rows in ([0, 1, 2], [2, 0, 1], [2, 0], [0, 2], [2], [2]):
            picked = torch.tensor(rows)
            places = torch.tensor([[4, 5], [FIRST, 4], [FIRST + 1, FIRST]])[: len(rows)]
            beams = map_state(lambda part: part.expand(-1, 2, *part.shape[2:]), select(state, picked))
            likely, _ = short.step(places, beams, select(memory, picked))
            every, _ = model.step(short.ids[picked].gather(1, places), beams, select(whole, picked))
            for row, found_, full in zip(rows, likely, every, strict=True):
                known = 2 + FIRST + int([4, 2, 3][row])
                wanted = full[:, short.ids[row, :known]].log_softmax(-1)
                assert torch.allclose(found_[:, :known], wanted, atol=atol)
                assert (found_[:, known:] == float("-inf")).all() and found_.dtype == torch.float32
    assert EOS < FIRST
