"""Laws of the data that a run learns from: changed under the same names, they are refused, or accepted, by name."""

import gzip
import random
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toy_text
from equal_runs import last, log
from toy_text import sentences

from seq2seq.cli.app import main
from seq2seq.data.cleaning.empty import Empty
from seq2seq.data.dataset.cache import split_content
from seq2seq.errors import TrainingError
from seq2seq.training.checkpoint import Checkpoints
from seq2seq.training.data_check import check_data, differences

pytestmark = pytest.mark.slow

PAIRS = 60
SMALL = [
    "model.width=8",
    "trainer.cores=1",
    "trainer.accumulation=1",
    "trainer.precision=fp32",
    "trainer.average_checkpoints=0",
    "trainer.report_every=1000",
    "trainer.metric=loss",
    "trainer.validate_every=2",
    "schedule=inverse_sqrt",
    "sublayer.dropout=0",
]
ENCODER = ["encoder.layers=1", "encoder.feed_forward=0"]
SHORT = ["validation.max_lines=1", "search.max_length_extra=3", "search.max_length_ratio=0.0"]
COMMANDS = {
    "train": ["corpus.directions=[en-de]", *ENCODER, "decoder.layers=1", "decoder.feed_forward=0", *SHORT],
    "train_language_model": ["languages=[en]", "model.layers=1", "reading.streams=4", "reading.bptt_length=5"],
    "train_classifier": ["corpus.directions=[en-label]", *ENCODER],
    "train_tagger": ["corpus.directions=[text-tags]", *ENCODER],
    "train_generator": ["corpus.directions=[label-text]", *SHORT],
}


def write_text(folder: Path, pairs: int = PAIRS, held_out: int = 1) -> None:
    """Two languages, a label a line and a tag a word; of more or fewer pairs the first are the same."""
    for split, count, seed in (("train", pairs, 0), ("valid", 12, held_out)):
        texts = sentences(PAIRS, ["en", "de"], seed, longest=6)
        labels = ["odd" if number % 2 else "even" for number in range(PAIRS)]
        tags = [" ".join("number" if word[0].isdigit() else "word" for word in line.split()) for line in texts["en"]]
        every = {**texts, "text": texts["en"], "label": labels, "tags": tags}
        toy_text.write(folder, split, {name: lines[:count] for name, lines in every.items()})


@pytest.fixture
def text(tmp_path: Path) -> Path:
    write_text(tmp_path / "text")
    return tmp_path / "text"


@pytest.fixture
def train(tmp_path: Path, text: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Trains for so many updates: the exit code, and what was said."""

    def trained(command: str, updates: int, *more: str) -> tuple[int, str]:
        given = ["corpus=files", f"corpus.path={text}", f"run={tmp_path / 'run'}", f"cache={tmp_path / 'cache'}"]
        pieces = [] if "tokenizer=existing" in more else ["tokenizer.vocab_size=290"]
        code = main([command, *given, *SMALL, *pieces, *COMMANDS[command], f"trainer.updates={updates}", *more])
        return code, capfd.readouterr().err

    return trained


Train = Callable[..., tuple[int, str]]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_does_not_go_on_with_other_text(command: str, train: Train, text: Path, tmp_path: Path) -> None:
    code, said = train(command, 2)
    assert code == 0, said
    records, newest = log(tmp_path / "run"), last(tmp_path / "run").read_bytes()
    cached = set((tmp_path / "cache").iterdir())
    write_text(text, pairs=45)
    code, said = train(command, 4)
    assert code == 1
    assert f"data.train: train had {PAIRS} pairs, has 45" in said and "data.valid" not in said
    assert "give the old text back" in said and f"init_from={tmp_path / 'run'}" in said
    assert "'trainer.allow_changed=[data.train,tokenizer]'" in said
    assert set((tmp_path / "cache").iterdir()) == cached, "something was made of the other text"
    write_text(text, held_out=2)
    code, said = train(command, 4)
    assert (
        code == 1 and "data.valid: valid has 12 pairs as before, with other text" in said and "data.train" not in said
    )
    assert "'trainer.allow_changed=[data.valid]'" in said
    assert log(tmp_path / "run") == records and last(tmp_path / "run").read_bytes() == newest
    write_text(text)
    code, said = train(command, 4)
    assert code == 0 and "resuming after update 2" in said


def test_other_text_is_accepted_by_name_and_remembered(train: Train, text: Path, tmp_path: Path) -> None:
    assert train("train", 2)[0] == 0
    write_text(text, pairs=45)
    code, said = train("train", 4, "trainer.allow_changed=[data.train]")
    assert code == 1 and "data.tokenizer: another tokenizer" in said
    kept = ["tokenizer=existing", f"tokenizer.folder={tmp_path / 'run'}"]
    assert train("train", 4, *kept, "trainer.allow_changed=[data.valid,tokenizer]")[0] == 1
    code, said = train("train", 4, *kept, "trainer.allow_changed=[data.train,tokenizer]")
    assert code == 0 and "resuming after update 2" in said
    code, said = train("train", 6, *kept)
    assert code == 0 and "resuming after update 4" in said
    write_text(text)
    assert "data.train: train had 45 pairs, has 60" in train("train", 8, *kept)[1]
    assert train("train", 8, *kept, "trainer.allow_changed=[data]")[0] == 0


def test_the_command_that_is_advised_can_be_pasted(train: Train, text: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert train("train", 2)[0] == 0
    write_text(text, pairs=45)
    advice = next(
        line for line in train("train", 4, "trainer.allow_changed=[license]")[1].splitlines() if "- accept it" in line
    )
    program, *words = shlex.split(advice.partition(": ")[2])
    assert program == "seq2seq" and main(words) == 0
    assert "resuming after update 2" in capfd.readouterr().err


def test_the_same_text_in_other_files_goes_on(train: Train, text: Path, tmp_path: Path) -> None:
    """Compressed, or with another system's line ends."""
    assert train("train", 2)[0] == 0
    plain = text / "train.en"
    (text / "train.en.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    (text / "valid.de").write_bytes((text / "valid.de").read_bytes().replace(b"\n", b"\r\n"))
    (text / "train.de").touch()
    code, said = train("train", 4)
    assert code == 0 and "resuming after update 2" in said


def test_a_tokenizer_that_changed_in_its_folder(train: Train, text: Path, tmp_path: Path) -> None:
    assert train("train", 2)[0] == 0
    (tmp_path / "run").rename(tmp_path / "other")
    existing = ["tokenizer=existing", f"tokenizer.folder={tmp_path / 'other'}"]
    assert train("train", 2, *existing)[0] == 0
    (tmp_path / "run").rename(tmp_path / "kept")
    write_text(text, pairs=50)
    (tmp_path / "other").rename(tmp_path / "first")
    assert train("train", 2)[0] == 0
    (tmp_path / "run").rename(tmp_path / "other")
    (tmp_path / "kept").rename(tmp_path / "run")
    write_text(text)
    code, said = train("train", 4, *existing)
    assert code == 1 and "data.tokenizer: another tokenizer" in said and "data.train" not in said
    assert "give the old tokenizer back" in said


def test_pairs_that_are_kept_otherwise(train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A filter that has changed in the toolkit, not in the configuration; in the configuration it may be accepted."""
    assert train("train", 2)[0] == 0
    accepted = ["cleaning.length.max_length=30", "trainer.allow_changed=[cleaning]"]
    assert train("train", 4, *accepted)[0] == 0
    monkeypatch.setattr(Empty, "keep", lambda self, pair: not pair.source.startswith("1"))
    monkeypatch.setattr("seq2seq.data.dataset.prepare.FORMAT", 0)  # the cache's entries are of the version before
    code, said = train("train", 6, *accepted[:1])
    assert code == 1 and "data.prepared: the same text is prepared in another way" in said, said
    assert "pairs kept" in said and "'trainer.allow_changed=[data.prepared]'" in said


def test_a_run_of_an_older_version_gets_a_fingerprint(
    train: Train, text: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert train("train", 2)[0] == 0
    checkpoints = Checkpoints(tmp_path / "run" / "checkpoints")
    found = checkpoints.load()
    assert found is not None and found.content.pop("data")
    checkpoints.save(2, found.tensors, found.content)
    code, said = train("train", 4)
    assert code == 0 and "resuming after update 2" in said
    [warning] = caplog.messages
    assert "an older version" in warning and "which text it learnt from" in warning
    write_text(text, pairs=45)
    code, said = train("train", 6)
    assert code == 1 and len(caplog.messages) == 1 and f"train had {PAIRS} pairs, has 45" in said


def fingerprint(**changes: object) -> dict[str, dict[str, object]]:
    split = {"pairs": 3, "text": "a", "files": "b"}
    return {
        "train": {"one": split, "two": split},
        "valid": {"three": split},
        "tokenizer": {"sha256": "c"},
        "prepared": {"pairs": 3, "sha256": "d"},
        **changes,  # type: ignore[dict-item]
    }


def test_every_difference_is_named_once(tmp_path: Path) -> None:
    split = {"pairs": 4, "text": "e", "files": "b"}
    now = fingerprint(
        train={"one": split, "new": split}, tokenizer={"sha256": "f"}, prepared={"pairs": 4, "sha256": "g"}
    )
    found = [f"{one.key}: {one.how}" for one in differences(fingerprint(), now, made_otherwise=False)]
    assert found[:3] == [
        "data.train: one had 3 pairs, has 4",
        "data.train: two was a split of corpus.train, is none",
        "data.train: new was no split of corpus.train, is one",
    ]
    assert [one.split(":")[0] for one in found[3:]] == ["data.tokenizer"]
    assert not differences(fingerprint(), fingerprint(), made_otherwise=False)
    check_data(fingerprint(), now, ["data.train", "data.tokenizer"], tmp_path, made_otherwise=False)
    with pytest.raises(TrainingError, match=r"data\.tokenizer"):
        check_data(fingerprint(), now, ["data.train"], tmp_path, made_otherwise=False)


def test_order_language_and_every_character_count(tmp_path: Path) -> None:
    """And nothing else: not the folder's name, nor the time."""

    def contents() -> Iterator[object]:
        draw = random.Random(1)
        texts = sentences(20, ["en", "de"])
        for name, change in {
            "same": lambda lines: lines,
            "again": lambda lines: lines,
            "order": lambda lines: draw.sample(lines, len(lines)),
            "space": lambda lines: [f"{lines[0]} ", *lines[1:]],
            "fewer": lambda lines: lines[:-1],
        }.items():
            made = toy_text.toy_corpus(tmp_path / name)
            toy_text.write(tmp_path / name, "train", {"en": change(texts["en"]), "de": change(texts["de"])})
            yield split_content(made, "train")
        made.directions = [("de", "en")]
        yield split_content(made, "train")

    same, again, *others = contents()
    assert same == again and len({same, *others}) == 5
