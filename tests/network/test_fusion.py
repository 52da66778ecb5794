"""Laws of what counts besides a translator: a language model, and the source words that had no attention."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from toy_language import VOCABULARY, prepared, toy_language_model
from toy_network import CONF, composed, members, sharp_model, toy_batch
from toy_search import beam, greedy, sampling
from toy_translator import DIRECTIONS, random_model, random_node, toy_tokenizer

from seq2seq.cli.open_models import open_translator
from seq2seq.config.build import build
from seq2seq.errors import ConfigError, ModelError
from seq2seq.network.alignment import TeacherForcing
from seq2seq.network.coverage_penalty import FLOOR, CoveragePenalty
from seq2seq.network.ensemble import Ensemble, Fusion
from seq2seq.network.model import Model
from seq2seq.network.state import map_state
from seq2seq.search.base import Hypothesis, Request
from seq2seq.search.beam_search import LengthPenalty
from seq2seq.search.constrained import Constrained
from seq2seq.special_tokens import BOS, EOS, PAD, UNK
from seq2seq.tasks.language_model.folder import save as save_language_model
from seq2seq.translation.folder import save

TAG = 4
SOURCES = [[TAG, 6, 7, EOS], [TAG, 5, EOS]]
FORBIDDEN = torch.tensor([PAD, BOS, UNK, TAG])
TOKENS = [5, 6, 7]  # what may be generated besides EOS
EVERY = [list(ids) for length in (1, 2, 3) for ids in product(TOKENS, repeat=length)]
LOOKING = [name for name in members("attention") if name not in ("none", "last")]
Scored = Model | Ensemble | Fusion | CoveragePenalty


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def translator(seed: int, attend: str = "last", **chosen: str) -> Model:
    torch.manual_seed(seed)
    config = composed(**chosen)
    config.model.width = 8
    if "attend" in config.decoder:
        config.decoder.attend = attend
    return sharp_model(config, 0.0, VOCABULARY)


def request(network: Scored) -> Request:
    source = torch.tensor([row + [PAD] * (4 - len(row)) for row in SOURCES])
    ending = getattr(network, "ending", None)
    return Request(source, source != PAD, torch.tensor([TAG, TAG]), FORBIDDEN, ending=ending)


def steps(network: Scored, row: int, tokens: list[int]) -> torch.Tensor:
    """The scores of what may follow each of the tokens, one sentence and one hypothesis at a time."""
    source = torch.tensor([SOURCES[row]])
    memory, state = network.start(source, torch.ones_like(source).bool())
    found = []
    for token in [TAG, *tokens]:
        likely, state = network.step(torch.tensor([[token]]), state, memory)
        found.append(likely[0, 0].clone())
    return torch.stack(found)


def exhaustive(network: Scored, row: int, prices: dict[tuple[int, ...], float] | None = None) -> list[Hypothesis]:
    """All that ends within three tokens, best first."""
    penalty, found = LengthPenalty("gnmt", 1.0), []
    source = torch.tensor([SOURCES[row]])
    memory, state = network.start(source, torch.ones_like(source).bool())
    state = map_state(lambda tensor: tensor.repeat_interleave(len(EVERY), 1), state)
    rows = torch.tensor([[TAG, *tokens, EOS, EOS, EOS][:5] for tokens in EVERY])
    scores = torch.zeros(len(EVERY))
    for place in range(4):
        likely, state = network.step(rows[None, :, place], state, memory)
        real = (rows[:, place] != EOS).float()
        scores += likely[0].gather(1, rows[:, place + 1 : place + 2]).squeeze(1) * real
    for tokens, score in zip(EVERY, scores.tolist(), strict=True):
        normalised = score / float(penalty(torch.tensor([len(tokens) + 1])))
        found.append(Hypothesis(tokens, score, normalised + (prices[tuple(tokens)] if prices else 0), True))
    return sorted(found, key=lambda one: -one.normalised)


def prices(network: Model | Ensemble, row: int, weight: float) -> dict[tuple[int, ...], float]:
    """The penalty of every translation, from the attention of all its positions at once."""
    batch = toy_batch([SOURCES[row][:-1]] * len(EVERY), [[TAG, *tokens] for tokens in EVERY])
    looked = TeacherForcing(network)(batch, True).looked()[..., 1 : len(SOURCES[row]) - 1]
    attended = (looked * batch.target_mask[:, 1:].unsqueeze(-1)).sum(1)
    penalties = weight * attended.clamp(FLOOR, 1).log().sum(1)
    return {tuple(tokens): price for tokens, price in zip(EVERY, penalties.tolist(), strict=True)}


def assert_found(found: list[Hypothesis], wanted: list[Hypothesis]) -> None:
    found = [one for one in found if one.finished]
    assert [one.tokens for one in found] == [one.tokens for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-3)
        assert one.normalised == pytest.approx(other.normalised, abs=1e-3)


def test_a_fused_score_is_the_weighted_sum() -> None:
    model, language_model = translator(1), toy_language_model()
    tokens = [5, 7, 7, 6]
    memory, state = language_model.start(torch.zeros(1, 0, dtype=torch.long), torch.zeros(1, 0).bool())
    for fused, own, token in zip(
        steps(Fusion(model, language_model, 0.3), 0, tokens), steps(model, 0, tokens), [TAG, *tokens], strict=True
    ):
        likely, state = language_model.step(torch.tensor([[token]]), state, memory)
        torch.testing.assert_close(fused, own + 0.3 * likely[0, 0])


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_fused_beam_equals_exhaustive_search(seed: int) -> None:
    """All hypotheses; and the winner, where the search ends as soon as it is known."""
    network = Fusion(translator(seed), toy_language_model(), 0.7)
    found = beam(200, 200, factor=0.0, offset=4)(network.start, network.step, request(network))
    first = beam(200, 1, factor=0.0, offset=4)(network.start, network.step, request(network))
    for row in range(2):
        wanted = exhaustive(network, row)
        assert_found(found[row], wanted)
        assert_found(first[row], wanted[:1])


def test_the_language_model_has_its_say() -> None:
    model = translator(1)
    alone = greedy(0.0, 6)(model.start, model.step, request(model))
    heard = Fusion(model, toy_language_model(), 3.0)
    assert greedy(0.0, 6)(heard.start, heard.step, request(heard)) != alone
    hardly = Fusion(model, toy_language_model(), 1e-9)
    assert [one.tokens for [one] in greedy(0.0, 6)(hardly.start, hardly.step, request(hardly))] == [
        one.tokens for [one] in alone
    ]
    with pytest.raises(ConfigError, match=r"fusion\.weight"):
        Fusion(model, toy_language_model(), 0.0)


@pytest.mark.parametrize(("attention", "attend"), [*((name, "last") for name in LOOKING), ("general", "all")])
def test_the_coverage_penalty_is_that_of_the_whole_translation(attention: str, attend: str) -> None:
    model = translator(2, attend, attention=attention)
    network = CoveragePenalty(model, 0.5)
    found = beam(200, 200, factor=0.0, offset=4)(network.start, network.step, request(network))
    for row in range(2):
        assert_found(found[row], exhaustive(model, row, prices(model, row, 0.5)))


@pytest.mark.parametrize("decoder", members("decoder"))
@pytest.mark.parametrize("attention", ["general", "coverage"])
def test_whatever_the_decoder(decoder: str, attention: str) -> None:
    """Also constrained search, and the early end of a search for the best."""
    model = translator(3, decoder=decoder, attention=attention)
    network = CoveragePenalty(model, 2.0)
    first = beam(200, 1, factor=0.0, offset=4)(network.start, network.step, request(network))
    searching = Constrained(200, 200, "gnmt", 1.0, 0.0, 4, 0.0, 0)
    found = searching(network.start, network.step, request(network)._replace(required=[[[6]], []]))
    for row in range(2):
        wanted = exhaustive(model, row, prices(model, row, 2.0))
        assert_found(first[row], wanted[:1])
        assert_found(found[row], [one for one in wanted if row or 6 in one.tokens])


def test_it_changes_the_choice_and_the_longer_translation_may_win() -> None:
    changed = 0
    for seed in range(8):
        model = translator(seed)
        network = CoveragePenalty(model, 3.0)
        for row, [one] in enumerate(beam(200, 1, factor=0.0, offset=4)(network.start, network.step, request(network))):
            changed += one.tokens != exhaustive(model, row)[0].tokens
    assert changed > 3


def test_of_an_ensemble_it_is_the_mean_and_fusion_passes_it_on() -> None:
    ensemble = Ensemble([translator(1), translator(2, attention="additive", cell="gru")], [3.0, 1.0])
    network = Fusion(CoveragePenalty(ensemble, 0.8), toy_language_model(), 0.4)
    plain = Fusion(ensemble, toy_language_model(), 0.4)
    assert plain.ending is None
    found = beam(200, 200, factor=0.0, offset=4)(network.start, network.step, request(network))
    for row in range(2):
        assert_found(found[row], exhaustive(plain, row, prices(ensemble, row, 0.8)))


def test_threads_do_not_hear_each_other_and_the_model_is_left_alone() -> None:
    model = translator(4)
    network = CoveragePenalty(model, 1.0)

    def searched(row: int) -> list[Hypothesis]:
        asked = request(network)
        part = asked._replace(source=asked.source[row : row + 1], mask=asked.mask[row : row + 1], first=asked.first[:1])
        with torch.no_grad():
            return beam(20, 5, factor=0.0, offset=6)(network.start, network.step, part)[0]

    alone = [searched(row % 2) for row in range(6)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(searched, [row % 2 for row in range(6)])) == alone
    assert not [one for one in model.modules() if "forward" in vars(one) or "step" in vars(one)]


@pytest.mark.parametrize(("attention", "attend"), [("none", "last"), ("last", "last"), ("general", "none")])
def test_a_model_that_looks_at_no_word_is_refused(attention: str, attend: str) -> None:
    with pytest.raises(ConfigError, match="coverage_penalty: this model has no attention that looks at words"):
        CoveragePenalty(translator(1, attend, attention=attention), 0.2)


def test_illegal_uses_are_named() -> None:
    network = CoveragePenalty(translator(1), 0.2)
    for search in (greedy(0.0, 4), sampling(offset=4)):
        with pytest.raises(ConfigError, match="coverage_penalty: this search compares no hypotheses"):
            search(network.start, network.step, request(network))
    with pytest.raises(ConfigError, match="coverage_penalty: expected a positive number"):
        CoveragePenalty(translator(1), -0.2)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A translator, a language model with its tokenizer, and one with another tokenizer."""
    place = tmp_path_factory.mktemp("folders")
    save(place / "translator", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    node = OmegaConf.to_container(OmegaConf.load(CONF / "language_model" / "default.yaml"), resolve=False)
    assert isinstance(node, dict)
    parts = {"cell": composed()["cell"], "sublayer": composed()["sublayer"], "model": {**node, "width": 8}}
    resolved = OmegaConf.to_container(OmegaConf.create(parts), resolve=True)
    assert isinstance(resolved, dict)
    for name, tokenizer in (("german", toy_tokenizer()), ("letters", prepared(place / "text").tokenizer)):
        torch.manual_seed(3)
        model = build(resolved["model"], {"vocabulary": tokenizer.sizes[1]})
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(3)
        save_language_model(place / name, model, resolved["model"], tokenizer, tokenizer.languages[-1:], {})
    return {name: place / name for name in ("translator", "german", "letters")}


def translated(
    folders: dict[str, Path], language_model: str | None, weight: float | None, coverage: float, search: str = "beam"
) -> list[str]:
    """What the command translates with these keys."""
    with initialize_config_dir(str(CONF.absolute()), version_base="1.3"):
        config = OmegaConf.to_container(compose("translate", ["model=x", f"search={search}"]), resolve=True)
    assert isinstance(config, dict)
    fusion = {"language_model": str(folders[language_model]) if language_model else None, "weight": weight}
    parts = (folders["translator"], None, config["search"], config["translator"], "fp32", fusion, coverage)
    return [
        one.text for one in open_translator(*parts).translate(["the dog sees the house.", "two big dog"], "en", "de")
    ]


@pytest.mark.slow
def test_the_keys_of_the_command_have_their_effect(folders: dict[str, Path]) -> None:
    plain = translated(folders, None, None, 0.0)
    assert translated(folders, "german", 1e-6, 0.0) == plain
    assert translated(folders, "german", 2.0, 0.0) != plain
    for language_model, weight in ((None, None), ("german", 0.1)):
        with pytest.raises(ConfigError, match="coverage_penalty: this search compares no hypotheses"):
            translated(folders, language_model, weight, 0.2, "greedy")


def test_what_does_not_fit_together_is_told(folders: dict[str, Path]) -> None:
    for language_model, weight in (("german", None), (None, 0.2)):
        with pytest.raises(ConfigError, match="fusion: expected both a language_model and its weight"):
            translated(folders, language_model, weight, 0.0)
    with pytest.raises(ModelError, match="letters has another tokenizer than the translator"):
        translated(folders, "letters", 0.2, 0.0)
    with pytest.raises(ModelError, match="language_model"):
        translated(folders, "translator", 0.2, 0.0)
    with pytest.raises(ConfigError, match=r"fusion\.weight: expected a positive number"):
        translated(folders, "german", -0.2, 0.0)
