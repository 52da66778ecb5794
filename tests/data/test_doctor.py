"""Doctor: healthy text has no problem; every ailment is found, named and never crashes the examination."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_text import LINE, every_filter, sentences, toy_corpus, vocabulary, write

from seq2seq.data.corpus.base import Corpus
from seq2seq.data.corpus.files import Files
from seq2seq.data.doctor import estimate
from seq2seq.data.doctor.doctor import Finding, Report, doctor
from seq2seq.data.doctor.survey import script
from seq2seq.data.tokenizer.train import TokenizerSettings
from seq2seq.errors import ConfigError
from seq2seq.evaluation.validation_text import short_lines


def examine(
    corpus: Corpus, tokenizer: TokenizerSettings | None = None, leakage: float = 0.5, tokens: int = 1000
) -> Report:
    return doctor(
        corpus,
        every_filter(),
        tokenizer or vocabulary(),
        tokens,
        100,
        10.0,
        8000.0,
        64,
        2,
        4,
        leakage,
        100_000,
        short_lines,
    )


def files(folder: Path, directions: Sequence[str] = ("en-de",), test: Sequence[str] = ()) -> Files:
    return Files(str(folder), list(directions), [], ["train"], ["valid"], list(test))


def of(report: Report, where: str, what: str) -> Finding:
    (found,) = [one for one in report.findings if (one.where, one.what) == (where, what)]
    return found


def test_lines_that_only_look_like_the_others_are_counted_and_named(tmp_path: Path) -> None:
    text = sentences(200, ["de", "en"])
    text["en"][3] = "two\u00a0dogs &amp; cafe\u0301"
    text["en"][4] = text["en"][9] = "a & b; hau\u00adse"
    text["de"][:150] = [f"{line}\u00a0!" for line in text["de"][:150]]
    write(tmp_path, "train", text)
    write(tmp_path, "valid", sentences(20, ["de", "en"], seed=1))
    report = examine(files(tmp_path))
    found = of(report, "train en", "odd characters")
    assert found.level == "warning" and "tokenizer.canonical=true" in found.found
    for kind, count, places in (
        ("decomposed", 1, ":4"),
        ("no-break", 1, ":4"),
        ("hidden", 2, ":5"),
        ("entities", 1, ":4"),
    ):
        [one] = [part for part in found.found.split("; ") if kind in part and "lines" in part]
        assert f"in {count} of 200 lines" in one and places in one
    assert of(report, "train de", "odd characters").level == "fine"  # most lines have them: so they are meant
    assert of(report, "valid en", "odd characters").found == "none"


def test_healthy_text_has_no_problem_and_everything_is_looked_at(tmp_path: Path) -> None:
    report = examine(toy_corpus(tmp_path))
    assert not report.problems
    assert {one.what for one in report.findings} == {
        "language codes",
        "lines",
        "lines of under four words",
        "duplicate records",
        "odd separators",
        "odd characters",
        "characters a line",
        "scripts",
        "characters that train lacks",
        "length ratio",
        "records that stand in train",
        "lines that stand in train",
        "cleaning",
        "carriage returns removed at line ends",
        "lines too long for the tokenizer",
        "longest line",
        "pairs and target tokens an epoch",
        "worst-batch memory",
        "disk",
        "time",
    }
    assert of(report, "train", "lines").found == "de 300, en 300"


def test_what_cannot_be_read_is_a_problem_and_the_rest_is_examined(tmp_path: Path) -> None:
    toy_corpus(tmp_path)
    write(tmp_path, "short", {"en": ["a", "b"], "de": ["c"]})
    write(tmp_path, "void", {"en": [], "de": []})
    write(tmp_path, "latin", {"en": ["a"]})
    (tmp_path / "latin.de").write_bytes(b"\xff\n")
    report = examine(files(tmp_path, test=["short", "void", "latin", "nowhere"]))
    assert [one.where for one in report.problems] == ["short", "void", "latin", "nowhere"]
    for one, part in zip(report.problems, ("short.de:2", "is empty", "latin.de:1", "no file nowhere"), strict=True):
        assert part in one.found
    assert of(report, "valid", "lines").level == "fine"


def test_a_broken_train_split_is_a_problem_without_estimates(tmp_path: Path) -> None:
    toy_corpus(tmp_path)
    (tmp_path / "train.en").write_bytes(b"\x80")
    report = examine(files(tmp_path))
    assert [one.where for one in report.problems] == ["train"] and of(report, "valid", "lines")


@pytest.mark.parametrize(("leaked", "level"), [(0, "fine"), (5, "warning"), (15, "problem")])
def test_leakage_is_judged_by_its_share(tmp_path: Path, leaked: int, level: str) -> None:
    toy_corpus(tmp_path)
    train, other = sentences(300, ["de", "en"]), sentences(20, ["de", "en"], seed=1)
    mixed = {one: [*train[one][:leaked], *other[one][leaked:]] for one in other}
    write(tmp_path, "valid", mixed)
    report = examine(files(tmp_path))
    found = of(report, "valid", "records that stand in train")
    assert found.level == level and found.found.startswith(f"{leaked} of 20")
    assert of(report, "valid", "lines that stand in train").found.startswith(f"de {leaked}" if leaked else "none")


def test_ailments_of_the_text_are_counted(tmp_path: Path) -> None:
    text = sentences(300, ["en", "de"])
    text["en"][1] += "\u2028x"
    text["en"][2] += "\x85\x85"
    text["de"][3] = ""
    text["en"][4], text["de"][4] = text["en"][5], text["de"][5]
    text["de"][6] = "w" * 5000
    text["en"][8] += "\r"
    write(tmp_path, "train", text)
    write(tmp_path, "valid", {"en": ["абв где"], "de": ["ж"]})
    report = examine(files(tmp_path))
    assert of(report, "train en", "odd separators").found == "2 U+0085 (next line), 1 U+2028 (line separator)"
    assert of(report, "train de", "blank lines").found == "1 of 300 (0.3%)"
    assert of(report, "train", "duplicate records").found == "1 of 300 (0.3%)"
    assert "longest 5,000; 1 outliers" in of(report, "train de", "characters a line").found
    assert of(report, "train", "lines too long for the tokenizer").found.startswith("1 above")
    assert of(report, "all", "carriage returns removed at line ends").found == "train.en 1"
    assert of(report, "valid en", "scripts") == Finding("warning", "valid en", "scripts", "cyrillic 100.0%")
    assert of(report, "valid en", "characters that train lacks").found == "100.000%"
    assert "(0.7%) more than 3 times off" in of(report, "train de/en", "length ratio").found
    assert "1 empty" in of(report, "train", "cleaning").found and "1 duplicate" in of(report, "train", "cleaning").found


def test_a_vocabulary_that_the_text_cannot_fill_is_a_problem(tmp_path: Path) -> None:
    report = examine(toy_corpus(tmp_path), vocabulary(size=30_000))
    assert [(one.where, one.what) for one in report.problems] == [("train", "tokenizer")]
    assert "set tokenizer.vocab_size=" in report.problems[0].found


def test_a_batch_that_cannot_hold_the_longest_line_is_a_problem(tmp_path: Path) -> None:
    assert [one.what for one in examine(toy_corpus(tmp_path), tokens=20).problems] == ["batch"]


def test_text_that_cleaning_drops_wholly_is_a_problem(tmp_path: Path) -> None:
    text = sentences(300, ["en"])
    write(tmp_path, "train", {"en": text["en"], "de": text["en"]})
    write(tmp_path, "valid", sentences(5, ["en", "de"]))
    assert "cleaning" in [one.what for one in examine(files(tmp_path)).problems]


def test_the_json_holds_every_finding(tmp_path: Path) -> None:
    report = examine(toy_corpus(tmp_path, ["en-de", "de-en"]), vocabulary(size=30_000))
    read = json.loads(report.to_json())
    assert read["problems"] == 1 and read["warnings"] == sum(one.level == "warning" for one in report.findings)
    assert [Finding(**one) for one in read["findings"]] == report.findings


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(LINE, LINE), min_size=1, max_size=10), raw=st.binary(max_size=40))
def test_no_text_and_no_bytes_crash_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    write(folder, "train", {"en": [one for one, _ in rows], "de": [other for _, other in rows]})
    (folder / "valid.en").write_bytes(raw)
    (folder / "valid.de").write_bytes(b"a\n")
    assert json.loads(examine(files(folder)).to_json())["findings"]


def test_longer_lines_need_more_memory_and_more_tokens_more_time() -> None:
    plan = estimate.TrainingPlan(4000, 250, 10.0, 8000.0, 256, 2, 4, 8000)
    assert estimate.batch_memory(plan, 200) > estimate.batch_memory(plan, 50) > 0
    assert estimate.seconds(1000, 80_000, plan)[1] == 100.0
    assert estimate.disk(10, 1000, 100, 70_000) - estimate.disk(10, 1000, 100, 8000) == 200


def test_senseless_plans_are_refused(tmp_path: Path) -> None:
    corpus = toy_corpus(tmp_path)
    with pytest.raises(ConfigError, match=r"doctor\.max_tokens: expected a number above 0"):
        examine(corpus, tokens=0)
    with pytest.raises(ConfigError, match=r"doctor\.max_leakage"):
        examine(corpus, leakage=1.5)


@pytest.mark.parametrize(
    ("character", "name"), [("a", "LATIN"), ("ж", "CYRILLIC"), ("漢", "HAN"), ("あ", "HIRAGANA"), ("א", "HEBREW")]
)
def test_scripts_have_their_names(character: str, name: str) -> None:
    assert script(character) == name


def test_codes_that_nobody_knows_and_lines_too_short_for_bleu_are_told(tmp_path: Path) -> None:
    words = ["Hund", "Katze", "Haus", "Baum"]
    for split, count in (("train", 300), ("valid", 20)):
        numbered = [f"{words[line % 4]}{split}{line}" for line in range(count)]
        write(tmp_path, split, {"xx": [f"a b c d {word}" for word in numbered], "de": numbered})
    report = examine(files(tmp_path, ["xx-de", "de-xx"]))
    assert of(report, "all", "language codes").level == "warning"
    assert of(report, "all", "language codes").found.startswith("xx: no known code")
    short = of(report, "valid de", "lines of under four words")
    assert short.level == "warning" and short.found.startswith("20 of 20") and "chrF" in short.found
    assert of(report, "valid xx", "lines of under four words").level == "fine"
