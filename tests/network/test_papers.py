"""Laws of published systems, composed as users compose them; network/test_model.py holds its laws over them, too."""

import json
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from toy_network import CONF, TEXT, members, paper_model
from toy_search import FORBIDDEN, TOKENS, VOCABULARY, assert_same, exhaustive

from seq2seq import load
from seq2seq.cli.app import main
from seq2seq.config.build import build
from seq2seq.network.model import Model
from seq2seq.search.base import Request
from seq2seq.search.beam import Beam
from seq2seq.search.beam_search import LengthPenalty
from seq2seq.special_tokens import EOS

pytestmark = pytest.mark.slow

PARTS = ("cell", "sublayer", "attention", "bridge")
SOURCES = [[4, 6, EOS], [5, EOS]]


@pytest.fixture(params=members("paper"))
def model(request: pytest.FixtureRequest) -> Model:
    """A system of four words, so sure of itself that a hypothesis with another's state gets very different scores."""
    torch.manual_seed(3)
    made = paper_model(request.param, vocabulary=VOCABULARY).double()
    made.output_weight = torch.nn.Parameter(torch.randn(VOCABULARY, 8, dtype=torch.float64) * 4)
    return made.requires_grad_(False)


def test_a_beam_wide_enough_equals_exhaustive_search(model: Model) -> None:
    source = torch.tensor([row + [0] * (3 - len(row)) for row in SOURCES])
    first = torch.tensor([5, 6])
    search = Beam(2000, 2000, "gnmt", 1.0, 1.0, 2, 0.0, 0)  # longest lengths 5 and 4
    found = search(model.start, model.step, Request(source, source != 0, first, FORBIDDEN))
    for row, ids in enumerate(SOURCES):
        penalty = LengthPenalty("gnmt", 1.0)
        expected = exhaustive(model, torch.tensor([ids]), first[row], len(ids) + 2, penalty)  # type: ignore[arg-type]
        finished = sum(len(TOKENS) ** length for length in range(1, len(ids) + 2))
        assert len(expected) == finished + len(TOKENS) ** (len(ids) + 2)
        assert_same(*(sorted(some, key=lambda one: (one.tokens, one.finished)) for some in (found[row], expected)))
        assert [one.finished for one in found[row]] == [one.finished for one in expected]
        scores = [one.normalised for one in expected]  # in fp32 there are near ties among so many
        assert [one.normalised for one in found[row]] == pytest.approx(scores, abs=1e-4)


def test_what_is_given_beside_a_paper_wins() -> None:
    given = ["model.width=64", "cell=gru", "attention=dot", "sublayer=pre_norm", "bridge=mean", "encoder.layers=3"]
    with initialize_config_dir(str(CONF.absolute()), version_base="1.3"):
        config = compose("train", [*TEXT, "paper=wu2016", *given, "encoder=bidirectional", "decoder.attend=all"])
    node = OmegaConf.to_container(config.model, resolve=True)
    assert isinstance(node, dict)
    encoder, decoder = node["encoder"], node["decoder"]
    assert (node["width"], encoder["layers"], encoder["shape"], encoder["feed_forward"]) == (64, 3, "bidirectional", 0)
    assert (decoder["layers"], decoder["attend"]) == (8, "all")
    named = {
        name: part[name]["_target_"].split(".")[-1] for part in (encoder, decoder) for name in part if name in PARTS
    }
    assert named == {"cell": "GRU", "sublayer": "PreNorm", "attention": "Dot", "bridge": "Mean"}
    build(node, {"source_vocabulary": 9, "target_vocabulary": 9})


@pytest.mark.parametrize("paper", ["sutskever2014", "luong2015", "sennrich2017"])
def test_a_paper_trains_and_translates(paper: str, toy_text: Path, tmp_path: Path) -> None:
    text = [
        "corpus=files",
        f"corpus.path={toy_text}",
        "corpus.directions=[en-de]",
        f"cache={toy_text.parent / 'cache'}",
    ]
    small = ["tokenizer.vocab_size=36", "tokenizer.byte_fallback=false", "model.width=16", "loader.max_tokens=300"]
    budget = ["trainer.updates=1", "trainer.validate_every=1", "trainer.cores=1", "validation.max_lines=4"]
    run = tmp_path / "run"
    assert main(["train", *text, *small, *budget, f"paper={paper}", "search.max_length_ratio=1", f"run={run}"]) == 0
    assert json.loads((run / "model/config.json").read_text("utf-8"))["model"]["width"] == 16
    assert len(list(load(run).translate(["one dog", "", "red cat"], source="en", target="de"))) == 3
