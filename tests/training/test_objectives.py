"""What all objectives share: processes, networks, text that is read once, and their settings."""

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from omegaconf import OmegaConf
from toy_labels import network
from toy_language import toy_language_model
from toy_network import CONF, members, toy_batch, toy_model
from toy_objective import BATCH, assert_same, gradients, minimum_risk, translations
from toy_training import ToyModel
from toy_translator import random_model, toy_tokenizer

from seq2seq.cli.app import main
from seq2seq.cli.train_job import build_objective
from seq2seq.data.loader.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.evaluation.sentence_metric import ChrF
from seq2seq.training.criterion import Criterion
from seq2seq.training.objective.base import Objective
from seq2seq.training.objective.likelihood import Likelihood
from seq2seq.training.objective.minimum_risk import MinimumRisk
from seq2seq.training.objective.r_drop import RDrop
from seq2seq.training.objective.scheduled_sampling import ScheduledSampling
from seq2seq.training.truncated_bptt import TruncatedBPTT

pytestmark = pytest.mark.slow


def labelled_batch() -> Batch:
    """Rows whose labels have gaps between them, as a tagger's."""
    batch = toy_batch([[7, 8, 9], [10, 6], [5]], [[2, 1, 0, 2], [2, 1, 2], [2, 1]])
    batch.target[:, 1:] %= 3
    holes = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 1, 0, 0], [1, 1, 0, 0, 0]]).bool()
    return batch._replace(target_mask=holes)


def test_networks_of_all_kinds_are_read_twice() -> None:
    """Without dropout R-Drop is likelihood, whatever the network; so the features of both passes meet their own."""
    batch = labelled_batch()
    tags = batch._replace(target=batch.target[:, :-1], target_mask=batch.target_mask[:, :-1])
    one = batch._replace(target=batch.target[:, :2], target_mask=torch.ones(3, 2, dtype=torch.bool))
    conditions = batch._replace(source=batch.source[:, :1], source_mask=batch.source_mask[:, :1])
    text: dict[str, int | str] = {"vocabulary": 13, "labels": 3}
    cases: list[tuple[Any, Batch]] = [
        (network("train_tagger", text), tags),
        (network("train_classifier", text), one),
        (network("train_generator", {"condition": "label", "conditions": 13, "vocabulary": 13}), conditions),
        (toy_language_model(), batch),
    ]
    for model, rows in cases:
        assert_same(gradients(RDrop(2.0), model, rows), gradients(Likelihood(), model, rows))


@pytest.mark.parametrize("objective", [RDrop(2.0), ScheduledSampling(0.5, 0, 0, 1.0), minimum_risk(ChrF())])
def test_objectives_travel_to_other_processes(objective: Objective) -> None:
    """Processes together do what one does. Minimum risk has most to send: tokenizer, metric, search."""
    risk = isinstance(objective, MinimumRisk)
    model, batch = (random_model(), translations()) if risk else (toy_model(dropout=0.3).train(), BATCH)
    sent: Objective = pickle.loads(pickle.dumps(objective))
    found = gradients(sent, model, batch)
    assert any(one.any() for one in found[1])
    assert_same(found, gradients(objective, model, batch), rtol=0, atol=0)


def test_only_translators_compare_translations() -> None:
    node = OmegaConf.to_container(
        OmegaConf.merge(OmegaConf.load(CONF / "objective" / "minimum_risk.yaml"), {"search": {"seed": 1}})
    )
    assert isinstance(build_objective(cast(dict[str, object], node), toy_tokenizer()), MinimumRisk)
    with pytest.raises(ConfigError, match=r"objective=minimum_risk .*trains translators only"):
        build_objective(cast(dict[str, object], node))


@pytest.mark.parametrize("name", members("objective"))
def test_every_objective_trains_from_the_command_line(
    name: str, toy_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = ["corpus=files", f"corpus.path={toy_text}", "corpus.directions=[en-de,de-en]"]
    sampled = [
        "tokenizer=bpe",
        "tokenizer.vocab_size=330",
        "loader.sampled_sides=[source,target]",
        "loader.max_tokens=120",
    ]
    small = [
        "model.width=16",
        "encoder.layers=1",
        "decoder.layers=1",
        "validation.max_lines=4",
        "search.max_length_ratio=1",
    ]
    limits = ["trainer.updates=2", "trainer.validate_every=2", "trainer.cores=1", "schedule.warmup=1"]
    chosen = [f"objective={name}", *(["objective.candidates=2"] if name == "minimum_risk" else [])]
    assert main(["train", *text, *sampled, *small, *limits, *chosen, "run=run"]) == 0
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


def test_running_text_cannot_be_read_twice() -> None:
    for objective in (RDrop(1.0), ScheduledSampling(0.5, 0, 0, 1.0)):
        with pytest.raises(ConfigError, match="reading=lines"):
            objective(TruncatedBPTT(toy_language_model(), 1), BATCH, Criterion(0.0), 1)


def test_what_reads_no_predictions_has_none_to_sample() -> None:
    with pytest.raises(ConfigError, match="does not read what it predicts"):
        ScheduledSampling(0.5, 0, 0, 1.0)(ToyModel(), BATCH, Criterion(0.0), 1)


@pytest.mark.parametrize(
    "key, build",
    [
        ("alpha", lambda: RDrop(-1.0)),
        ("alpha", lambda: RDrop(math.nan)),
        ("rate", lambda: ScheduledSampling(1.5, 0, 0, 1.0)),
        ("start", lambda: ScheduledSampling(0.5, -1, 0, 1.0)),
        ("warmup", lambda: ScheduledSampling(0.5, 0, -1, 1.0)),
        ("candidates", lambda: minimum_risk(candidates=0)),
        ("candidates", lambda: minimum_risk(candidates=1, reference=False)),
        ("sharpness", lambda: minimum_risk(sharpness=0.0)),
        ("weight", lambda: minimum_risk(weight=0.0)),
        ("weight", lambda: minimum_risk(weight=1.1)),
        ("temperature", lambda: ScheduledSampling(0.5, 0, 0, -1.0)),
    ],
)
def test_illegal_values_are_named(key: str, build: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=rf"objective\.{key}: expected"):
        build()
