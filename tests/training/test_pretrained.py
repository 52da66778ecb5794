"""A run that begins with another's weights: what both vocabularies have keeps its row, the rest is equal or refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from equal_runs import last
from safetensors.torch import load_file
from toy_labels import LABELS, network, node, toy_text
from toy_text import sentences, vocabulary, write
from toy_translator import DIRECTIONS, fresh, random_model, random_node, toy_tokenizer

from seq2seq import special_tokens as symbols
from seq2seq.cli.app import main
from seq2seq.data.corpus.files import Files
from seq2seq.data.tokenizer.labelled_tokenizer import ClassTokenizer
from seq2seq.data.tokenizer.labels import Labels
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.data.tokenizer.train import train_tokenizer
from seq2seq.errors import ModelError, TrainingError
from seq2seq.model_folder import folder as model_folder
from seq2seq.tasks.labelling import folder as labelled_folder
from seq2seq.training.pretrained import TABLES, EmbeddingRemap, PretrainedWeights, name_rows, piece_rows, remapped
from seq2seq.translation.folder import save

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Of other text, in one language more, of another size."""
    folder = tmp_path_factory.mktemp("text")
    write(folder, "train", {**sentences(300, ["de", "en", "fr"]), "en": ["the big dog sees three houses"] * 300})
    corpus = Files(str(folder), ["en-de", "en-fr"], [], ["train"], [], [])
    return train_tokenizer(corpus, vocabulary(size=420)).tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translator's model folder."""
    place = tmp_path_factory.mktemp("old") / "run"
    save(place / "model", random_model(), random_node(), toy_tokenizer(), DIRECTIONS, {})
    return place


def spelt(tokenizer: Tokenizer) -> list[str]:
    return tokenizer.pieces(range(tokenizer.sizes[1]))


def test_rows_follow_their_spelling(other: Tokenizer) -> None:
    old = toy_tokenizer()
    rows = piece_rows(old, other, "source")
    before, after = spelt(old), spelt(other)
    assert set(rows.kept) == {new for new, piece in enumerate(after) if piece in before}
    assert all(before[row] == after[new] for new, row in rows.kept.items())
    assert {0, 1, 2, 3, old.tag_id("de"), old.tag_id("en")} <= set(rows.kept.values())
    assert rows.composed[other.tag_id("fr")] == [old.tag_id("de"), old.tag_id("en")]
    for new, origins in rows.composed.items():
        if new > other.tag_id("fr"):
            assert text([before[row] for row in origins]) == after[new]
    assert len(rows.composed) > 20 and rows.before == len(before)
    assert piece_rows(old, old, "target") == EmbeddingRemap(
        {row: row for row in range(len(before))}, {}, len(before), len(before)
    )
    assert str(piece_rows(old, old, "target")) == "all 290 rows kept"


def text(pieces: list[str]) -> str:
    """What pieces spell, bytes put together."""
    whole = b"".join(bytes([int(one[3:5], 16)]) if one.startswith("<0x") else one.encode() for one in pieces)
    return whole.decode()


def test_labels_follow_their_names() -> None:
    rows = name_rows(["blue", "green", "red"], ["black", "green", "blue"])
    assert rows == EmbeddingRemap({1: 1, 2: 0}, {}, 3, 3) and str(rows) == "2 of 3 rows kept, 0 begin as means, 1 anew"
    old, new = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[7.0], [8.0], [9.0]])
    assert remapped(new, old, rows).tolist() == [[7.0], [2.0], [1.0]]


@pytest.mark.parametrize("kind", TABLES)
def test_the_tables_of_a_kind_are_all_that_depends_on_its_vocabularies(kind: str) -> None:
    """Were a table forgotten, another vocabulary would be refused; were one too many, its rows would be scattered."""
    command = "train" if kind == "translator" else f"train_{kind}"
    sizes: dict[str, tuple[Any, Any]] = {
        "translator": (("source_vocabulary", "target_vocabulary"), (20, 30)),
        "language_model": (("vocabulary",), (20,)),
        "generator": (("vocabulary", "conditions"), (20, 5)),
    }.get(kind, (("vocabulary", "labels"), (20, 5)))
    shapes = []
    for more in (0, 7):
        facts = {name: size + more for name, size in zip(*sizes, strict=True)}
        given = (
            *(["model.tying=none"] if kind == "translator" else []),
            *(["languages=[en]"] if "language" in kind else []),
        )
        built = network(command, {**facts, **({"condition": "label"} if kind == "generator" else {})}, *given)
        shapes.append({name: one.shape for name, one in built.named_parameters(remove_duplicate=False)})
    assert {name for name in shapes[0] if shapes[0][name] != shapes[1][name]} == set(TABLES[kind])


def test_of_the_same_vocabulary_all_is_as_it_was(folder: Path) -> None:
    model = fresh(toy_tokenizer())
    said = PretrainedWeights(folder, "translator", toy_tokenizer(), None).fill(model, random_node())
    assert said == [f"init_from: {folder}: source and target: all 290 rows kept"]
    wanted = random_model().state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("tying", ["all", "target", "none"])
def test_kept_pieces_have_the_logits_they_had(tmp_path: Path, other: Tokenizer, tying: str) -> None:
    own = {**random_node(), "tying": tying}
    old = fresh(toy_tokenizer(), own)
    with torch.no_grad():
        for parameter in old.parameters():
            parameter.mul_(2)
    save(tmp_path, old, own, toy_tokenizer(), DIRECTIONS, {})
    model = fresh(other, own)
    untouched = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    initial = PretrainedWeights(tmp_path, "translator", other, None)
    initial.fill(model, own)
    kept = {row: new for new, row in initial.rows["target"].kept.items()}
    source = torch.tensor([[toy_tokenizer().tag_id("de"), *sorted(kept)[-4:], symbols.EOS]])
    renamed = source.clone().apply_(kept.__getitem__)
    chances = []
    for network_, ids in ((old, source), (model, renamed)):
        memory, state = network_.start(ids, ids > 0)
        chances.append(network_.step(ids[:, :1], state, memory)[0][0, 0])
    was, now = chances[0][list(kept)], chances[1][list(kept.values())]  # all less what the new pieces take
    torch.testing.assert_close(now - now[0], was - was[0], rtol=0, atol=1e-5)
    assert (model.target.weight is model.output_weight) == (tying != "none")
    assert (model.source.weight is model.target.weight) == (tying == "all")
    rows = initial.rows["target"]
    anew = [new for new in range(rows.size) if new not in rows.kept and new not in rows.composed]
    assert torch.equal(model.output_weight[anew], untouched["output_weight"][anew])
    new, origins = next(iter(rows.composed.items()))
    torch.testing.assert_close(model.output_weight[new], old.output_weight[origins].mean(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"width": 24, "embedding": 24},
            r"holds another network: \S+ was \(\d.*\), is \(\d.*\)\. What differs in the configuration:\n"
            r"  model\.embedding was 12, is 24\n  model\.width was 12, is 24\nGive",
        ),
        ({"tying": "none"}, r"(.|\n)*\n  model\.tying was 'all', is 'none'\n"),
    ],
)
def test_another_network_is_refused_with_all_that_differs(folder: Path, changes: dict[str, Any], message: str) -> None:
    other = {**random_node(), **changes}
    with pytest.raises(ModelError, match=message):
        PretrainedWeights(folder, "translator", toy_tokenizer(), None).fill(fresh(toy_tokenizer(), other), other)


def test_tables_that_were_not_tied_cannot_be(tmp_path: Path) -> None:
    apart = {**random_node(), "tying": "none"}
    save(tmp_path, fresh(toy_tokenizer(), apart), apart, toy_tokenizer(), DIRECTIONS, {})
    with pytest.raises(ModelError, match=r"output_weight was \(290, 12\) and \(290, 12\) and \(290, 12\), is"):
        PretrainedWeights(tmp_path, "translator", toy_tokenizer(), None).fill(fresh(toy_tokenizer()), random_node())


def test_what_may_differ_is_said(folder: Path) -> None:
    other = {**random_node(), "word_dropout": 0.5}
    said = PretrainedWeights(folder, "translator", toy_tokenizer(), None).fill(fresh(toy_tokenizer(), other), other)
    assert said[1:] == [f"init_from: {folder}: model.word_dropout was 0.1, is 0.5"]


def test_a_model_of_another_kind_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="expected a classifier, got a translator"):
        PretrainedWeights(folder, "classifier", toy_tokenizer(), None)


def test_a_classifier_keeps_the_rows_of_its_labels(tmp_path: Path) -> None:
    old = ClassTokenizer(toy_text(), "label", Labels(LABELS))
    model = network("train_classifier", old.facts)
    labelled_folder.save(tmp_path, "classifier", model, node("train_classifier"), old, {})
    labels = Labels(["red", "violet", "blue", "white"])
    more = network("train_classifier", {**old.facts, "labels": 4})
    before = more.output_weight.clone()
    said = PretrainedWeights(tmp_path, "classifier", toy_text(), labels).fill(more, node("train_classifier"))
    assert said[-1] == f"init_from: {tmp_path}: labels: 2 of 4 rows kept, 0 begin as means, 2 anew"
    assert torch.equal(more.output_weight[[0, 2]], model.output_weight[[2, 0]])
    assert torch.equal(more.output_weight[[1, 3]], before[[1, 3]])


def test_moments_follow_the_rows(tmp_path: Path, toy_text: Path) -> None:
    train(tmp_path, toy_text, "old", "trainer.updates=3", OWN)
    tensors = load_file(last(tmp_path / "old"))
    config = yaml.safe_load((tmp_path / "old" / "config.yaml").read_text())
    old = Tokenizer.load(tmp_path / "old" / "model")
    write(tmp_path / "more", "train", {"en": ["one black pig", "my sybil"] * 50, "de": ["Hund rot eins", "Bilb"] * 50})
    corpus = Files(str(tmp_path / "more"), ["en-de"], [], ["train"], [], [])
    new = train_tokenizer(corpus, vocabulary(size=284)).tokenizer
    model = fresh(new, config["model"])
    initial = PretrainedWeights(tmp_path / "old", "translator", new, None)
    moments = initial.moments(model)
    assert moments.keys() == dict(model.named_parameters()).keys()
    moment = moments["output_weight"]["exp_avg"]
    kept = initial.rows["target"].kept
    assert 0 < len(kept) < new.sizes[0] != old.sizes[0]
    assert torch.equal(moment[list(kept)], tensors["optimizer/exp_avg/output_weight"][list(kept.values())])
    assert not moment[[row for row in range(len(moment)) if row not in kept]].any()
    for name, one in moments.items():
        assert int(one["step"]) == 3
        if name not in TABLES["translator"]:
            assert torch.equal(one["exp_avg_sq"], tensors[f"optimizer/exp_avg_sq/{name}"])
    shutil.rmtree(tmp_path / "old" / "checkpoints")
    with pytest.raises(TrainingError, match=r"init_optimizer: .* has no checkpoint"):
        initial.moments(model)


OWN = "tokenizer.vocab_size=285"


def train(place: Path, text: Path, run: str, *more: str) -> int:
    """A translator of the toy text, in the folder `place`, in this process."""
    return main(
        [
            "train",
            "corpus=files",
            f"corpus.path={text}",
            "corpus.directions=[en-de]",
            "model.width=16",
            "encoder.layers=1",
            "decoder.layers=1",
            "trainer.cores=1",
            "trainer.accumulation=1",
            "trainer.precision=fp32",
            "trainer.metric=loss",
            "trainer.average_checkpoints=0",
            "validation.max_lines=1",
            "search.max_length_extra=3",
            "search.max_length_ratio=0.0",
            "schedule=inverse_sqrt",  # cosine follows the budget, which is extended
            "trainer.validate_every=4",
            f"run={place / run}",
            f"cache={place / 'cache'}",
            *more,
        ]
    )


def test_a_run_begins_with_another_and_needs_it_no_more(
    tmp_path: Path, toy_text: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, toy_text, "old", "trainer.updates=4", OWN) == 0
    tuned = [f"init_from={tmp_path}/old", "tokenizer=existing", "init_optimizer=true", "freeze=[encoder]"]
    tuned.append("optimizer.groups=[{names: [source], learning_rate: 0.5}]")  # tied: the optimiser knows another name
    assert train(tmp_path, toy_text, "whole", "trainer.updates=8", *tuned) == 0
    said = capfd.readouterr().err
    assert "source and target: all 285 rows kept" in said and "parameters stay as they are" in said
    assert train(tmp_path, toy_text, "parts", "trainer.updates=4", *tuned) == 0
    old, new = (model_folder.read(tmp_path / name, "translator").weights for name in ("old", "parts"))
    frozen = [name for name in new if name.startswith("encoder.")]
    assert frozen and all(torch.equal(old[name], new[name]) for name in frozen)
    assert not torch.equal(old["output_bias"], new["output_bias"])
    shutil.rmtree(tmp_path / "old")
    assert train(tmp_path, toy_text, "parts", "trainer.updates=8", *tuned) == 0
    assert "is gone; the copy in" in capfd.readouterr().err
    ours, theirs = load_file(last(tmp_path / "parts")), load_file(last(tmp_path / "whole"))
    assert int(ours["optimizer/step/output_bias"]) == 4 + 8
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    changed = [f"init_from={tmp_path}/whole", f"tokenizer.folder={tmp_path}/old"]
    assert train(tmp_path, toy_text, "parts", "trainer.updates=9", *tuned, *changed) == 1
    assert "init_from: was" in capfd.readouterr().err
    assert train(tmp_path, toy_text, "none", "trainer.updates=9", *tuned) == 1
    assert "no such folder" in capfd.readouterr().err


def test_an_existing_tokenizer_is_taken_as_it_is_or_refused_with_advice(
    tmp_path: Path, toy_text: Path, capfd: pytest.CaptureFixture[str], folder: Path
) -> None:
    given = ["corpus=files", f"corpus.path={toy_text}", f"cache={tmp_path}/cache", "tokenizer=existing"]
    named = [*given, "corpus.directions=[en-de]", f"tokenizer.folder={folder}"]
    assert main(["prepare", *named]) == 0
    assert Tokenizer.load(next((tmp_path / "cache").glob("existing-*"))).models == toy_tokenizer().models
    assert main(["prepare", *given, "corpus.directions=[en-de]"]) == 1
    assert "tokenizer.folder: expected a run folder or a model folder" in capfd.readouterr().err
    shutil.copy(toy_text / "train.en", toy_text / "train.fr")
    shutil.copy(toy_text / "valid.en", toy_text / "valid.fr")
    assert main(["prepare", *given, "corpus.directions=[en-fr]", f"tokenizer.folder={folder}"]) == 1
    said = capfd.readouterr().err
    assert "unknown language 'fr', the tokenizer knows de, en: train a new one" in said
    wrong = [*named, f"run={tmp_path}/run", "init_optimizer=true", "trainer.updates=1", f"cache={tmp_path}/new"]
    assert main(["train", *wrong]) == 1
    assert "init_optimizer: needs init_from=FOLDER" in capfd.readouterr().err
    assert not (tmp_path / "new").exists(), "refused before anything is prepared"
