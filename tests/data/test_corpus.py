"""Readers: N lines are N records whatever stands in them, every form gives the same, and what is broken is named."""

import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_text import LINE, SEPARATORS, sentences, write

from seq2seq.data.corpus.base import Corpus, Pair, parse_directions
from seq2seq.data.corpus.datasets import Datasets
from seq2seq.data.corpus.fallback import Fallback
from seq2seq.data.corpus.files import Files
from seq2seq.data.corpus.jsonl import JSONL
from seq2seq.data.corpus.parquet import Parquet
from seq2seq.data.corpus.tsv import TSV
from seq2seq.errors import ConfigError, DataError
from seq2seq.io.text import Lines

hostile = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def files(folder: Path, *directions: str) -> Files:
    return Files(str(folder), list(directions) or ["en-de"], [], ["train"], ["valid"], [])


def texts(corpus: Corpus, language: str, split: str = "train") -> list[str]:
    return [record.texts[language] for record in corpus.records(split)]


@hostile
@given(lines=st.lists(LINE, min_size=1))
def test_lines_end_at_line_feeds_only(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "text"
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    read = Lines(path)
    found = list(read)
    expected = [line.removesuffix("\r") for line in lines]
    expected[0] = lines[0].removeprefix("\ufeff").removesuffix("\r")
    assert found == expected
    assert read.carriage_returns == sum(line.endswith("\r") for line in [lines[0].removeprefix("\ufeff"), *lines[1:]])


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_separator_stays_inside_its_line(tmp_path: Path, separator: str) -> None:
    write(tmp_path, "train", {"en": [f"a{separator}b", "c"], "de": ["d", f"e{separator}f"]})
    pairs = list(files(tmp_path).pairs("train"))
    assert [(pair.source, pair.target) for pair in pairs] == [(f"a{separator}b", "d"), ("c", f"e{separator}f")]


def test_the_last_line_needs_no_line_feed(tmp_path: Path) -> None:
    (tmp_path / "whole").write_bytes(b"a\nb\n")
    (tmp_path / "open").write_bytes(b"a\nb")
    assert list(Lines(tmp_path / "whole")) == list(Lines(tmp_path / "open")) == ["a", "b"]


def test_compression_changes_nothing(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    raw = "".join(f"{line}\n" for line in sentences(200, ["en"])["en"]).encode()
    packers = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.ZstdCompressor().compress}
    read = []
    for ending, pack in packers.items():
        (tmp_path / f"text{ending}").write_bytes(pack(raw))
        read.append(list(Lines(tmp_path / f"text{ending}")))
    assert all(lines == read[0] for lines in read) and len(read[0]) == 200


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_a_damaged_file_is_named(tmp_path: Path, ending: str) -> None:
    if ending == ".zst":
        pytest.importorskip("zstandard")
    (tmp_path / f"text{ending}").write_bytes(b"this was never compressed, not at all, not even a little")
    with pytest.raises(DataError, match=rf"text{ending}:1.*again"):
        list(Lines(tmp_path / f"text{ending}"))


@pytest.mark.parametrize("ending", [".gz", ".xz", ".zst"])
def test_a_cut_file_is_named(tmp_path: Path, ending: str) -> None:
    packers = {".gz": gzip.compress, ".xz": lzma.compress}
    if ending == ".zst":
        packers[".zst"] = pytest.importorskip("zstandard").ZstdCompressor().compress
    whole = packers[ending](os.urandom(9000).hex().encode())
    (tmp_path / f"text{ending}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=rf"text{ending}:1.*again"):
        list(Lines(tmp_path / f"text{ending}"))


def test_every_record_gives_a_pair_per_direction(tmp_path: Path) -> None:
    write(tmp_path, "train", {"en": ["a", "b"], "de": ["c", "d"], "fr": ["e", "f"]})
    found = list(files(tmp_path, "en-de", "de-en", "fr-de").pairs("train"))
    assert [pair[:4] for pair in found[:3]] == [("en", "de", "a", "c"), ("de", "en", "c", "a"), ("fr", "de", "e", "c")]
    assert len(found) == 6 and isinstance(found[0], Pair) and found[3].origin.endswith(":2")


def test_unequal_files_name_the_first_line_without_partner_and_all_counts(tmp_path: Path) -> None:
    write(tmp_path, "train", {"en": ["a", "b", "c", "d"], "de": ["e", "f"]})
    with pytest.raises(DataError, match=r"train\.de:3: .*train\.de has 2.*train\.en has 4"):
        list(files(tmp_path).pairs("train"))


SHORT, LONG, LONGER = "a", "a line of words", "a line of words that is much longer than others"


@pytest.mark.parametrize(
    ("lines", "lacks", "message"),
    [
        (
            [SHORT, LONG, LONG, SHORT, LONG, SHORT],
            [2],
            "judging by lengths they part near line 3, where 'a' stands beside 'a l",
        ),
        ([SHORT, LONG, SHORT, LONG], [0], "near line 1, where 'a line of.*' stands beside 'a'"),
        ([SHORT, LONGER, SHORT, LONG, SHORT, LONG], [1, 2], "near line 2, where"),
        ([SHORT, LONG, SHORT, LONG], [3], r"up to its last line \S+train\.de seems to fit: was its end cut off"),
        ([SHORT, "", LONG, "", SHORT], [1, 3], r"train\.en has 2 blank lines, from line 2 on, \S+train\.de 0; "),
    ],
)
def test_unequal_files_say_where_they_seem_to_part(
    lines: list[str], lacks: list[int], message: str, tmp_path: Path
) -> None:
    write(tmp_path, "train", {"en": lines, "de": [line for number, line in enumerate(lines) if number not in lacks]})
    with pytest.raises(DataError, match=message):
        list(files(tmp_path).pairs("train"))


def test_unequal_files_name_characters_that_end_lines_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, "train", {"en": ["a", "b", "c", "d"], "de": ["a", "b\u2028c", "d"], "fr": ["a", "b", "c", "d"]})
    with pytest.raises(DataError, match=r"train\.de:2 holds a character that other programs end a line with .* 1 in"):
        list(files(tmp_path, "en-de", "de-fr").pairs("train"))


def test_invalid_utf8_names_file_and_line(tmp_path: Path) -> None:
    write(tmp_path, "train", {"en": ["a", "b"]})
    (tmp_path / "train.de").write_bytes(b"gut\nsch\xf6n\n")
    with pytest.raises(DataError, match=r"train\.de:2: .*UTF-8.*f6.*byte 4"):
        list(files(tmp_path).pairs("train"))


def test_empty_files_missing_files_and_twins_are_named(tmp_path: Path) -> None:
    write(tmp_path, "train", {"en": [], "de": []})
    with pytest.raises(DataError, match=r"train\.en: is empty"):
        list(files(tmp_path).pairs("train"))
    with pytest.raises(DataError, match=r"no file train\.fr .*holds train\.de, train\.en"):
        list(files(tmp_path, "en-fr").pairs("train"))
    (tmp_path / "train.en.gz").write_bytes(gzip.compress(b"a\n"))
    with pytest.raises(DataError, match="keep only one"):
        list(files(tmp_path).pairs("train"))
    with pytest.raises(DataError, match=r"no such folder; set corpus\.path"):
        list(files(tmp_path / "nowhere").pairs("train"))


@pytest.mark.parametrize(
    ("directions", "languages", "message"),
    [
        (["en-"], [], "expected two different languages like en-de, got 'en-'"),
        (["en-en"], [], "two different languages"),
        (["en-xx"], ["en", "de"], "unknown language 'xx'.*has en, de"),
        (["en-de", "en-de"], [], "twice"),
        (["pt_BR-pt-br"], [], "two different languages"),
        (["en-fr-ca"], [], "may mean en to fr-ca or en-fr to ca; list the codes in corpus.languages"),
        (["aq1-bq1-cq1"], [], "may mean no pair of languages"),
        (["pt-BR-fr"], ["pt-BR", "en"], "may mean no pair"),
        ("all", ["en"], "at least two"),
        ("en-de", [], "expected .* or all"),
        ([], [], "expected"),
    ],
)
def test_impossible_directions_are_refused(directions: list[str] | str, languages: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_directions(directions, languages)


@pytest.mark.parametrize(
    ("direction", "languages", "parsed"),
    [
        ("pt-BR-en", [], ("pt-BR", "en")),
        ("en-label", [], ("en", "label")),  # as variants such as `de-1996` are shaped, but none that is registered
        ("en-pt-BR", [], ("en", "pt-BR")),
        ("zh_CN-en", [], ("zh_CN", "en")),
        ("en-zh-Hant-TW", [], ("en", "zh-Hant-TW")),
        ("zh-Hans-zh-Hant", [], ("zh-Hans", "zh-Hant")),
        ("pt-BR-pt-PT", [], ("pt-BR", "pt-PT")),
        ("es-419-en-US", [], ("es-419", "en-US")),
        ("en-fr-CA", [], ("en", "fr-CA")),
        ("pt-br-en", [], ("pt-br", "en")),
        ("xx-pt-BR", [], ("xx", "pt-BR")),
        ("en-fr-ca", ["en-fr", "ca"], ("en-fr", "ca")),
        ("en-ZH", [], ("en", "ZH")),
        ("EN-DE", [], ("EN", "DE")),
        ("zho-zh", [], ("zho", "zh")),
        ("text-label", [], ("text", "label")),
        ("src-tgt", [], ("src", "tgt")),
        ("pt-BR", [], ("pt-BR", "pt-BR")),
        ("zh-Hans", [], ("zh-Hans", "zh-Hans")),
        ("pt-br", ["pt-br"], ("pt-br", "pt-br")),
        ("en-DE", ["en", "DE"], ("en", "DE")),
        ("pt-br", [], ("pt", "br")),
    ],
)
def test_codes_may_have_hyphens(direction: str, languages: list[str], parsed: tuple[str, str]) -> None:
    assert parse_directions([direction], languages) == [parsed]


def test_all_means_every_ordered_pair() -> None:
    assert sorted(parse_directions("all", ["a", "b", "c"])) == [(x, y) for x in "abc" for y in "abc" if x != y]


def test_the_fingerprint_is_the_content(tmp_path: Path) -> None:
    text = sentences(50, ["en", "de"])
    write(tmp_path / "one", "train", text)
    write(tmp_path / "two", "train", text)
    assert files(tmp_path / "one").fingerprint("train") == files(tmp_path / "two").fingerprint("train")
    write(tmp_path / "two", "train", {**text, "de": [*text["de"][:-1], "anders"]})
    assert files(tmp_path / "one").fingerprint("train") != files(tmp_path / "two").fingerprint("train")


def as_files(folder: Path, text: dict[str, list[str]]) -> Corpus:
    write(folder, "train", text)
    return files(folder)


def as_tsv(folder: Path, text: dict[str, list[str]]) -> Corpus:
    rows = [
        "id\tde\ten",
        *(f"{number}\t{de}\t{en}" for number, (de, en) in enumerate(zip(text["de"], text["en"], strict=True))),
    ]
    (folder / "train.tsv").write_bytes("".join(f"{row}\n" for row in rows).encode())
    return TSV(str(folder), [], ["en-de"], [], ["train"], [], [])


def as_bare_tsv(folder: Path, text: dict[str, list[str]]) -> Corpus:
    rows = [f"{de}\t{en}\n" for de, en in zip(text["de"], text["en"], strict=True)]
    (folder / "train.tsv").write_bytes("".join(rows).encode())
    return TSV(str(folder), ["de", "en"], ["en-de"], [], ["train"], [], [])


def as_jsonl(folder: Path, text: dict[str, list[str]]) -> Corpus:
    rows = [{"en": en, "de": de, "id": 7} for en, de in zip(text["en"], text["de"], strict=True)]
    (folder / "train.jsonl").write_bytes("".join(json.dumps(row) + "\n" for row in rows).encode())
    return JSONL(str(folder), ["en-de"], [], ["train"], [], [])


def as_nested_jsonl(folder: Path, text: dict[str, list[str]]) -> Corpus:
    rows = [{"translation": {"en": en, "de": de}} for en, de in zip(text["en"], text["de"], strict=True)]
    (folder / "train.jsonl").write_bytes("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
    return JSONL(str(folder), ["en-de"], [], ["train"], [], [])


def as_parquet(folder: Path, text: dict[str, list[str]]) -> Corpus:
    pq.write_table(pa.table({**text, "id": list(range(len(text["en"])))}), folder / "train.parquet")
    return Parquet(str(folder), ["en-de"], [], ["train"], [], [])


def as_parquet_parts(folder: Path, text: dict[str, list[str]]) -> Corpus:
    rows = [{"en": en, "de": de} for en, de in zip(text["en"], text["de"], strict=True)]
    for number, part in enumerate((rows[:1], rows[1:])):
        kind = pa.struct([("en", pa.string()), ("de", pa.string())])
        pq.write_table(pa.table({"translation": pa.array(part, kind)}), folder / f"train-{number:05}-of-00002.parquet")
    return Parquet(str(folder), ["en-de"], [], ["train"], [], [])


FORMS = [as_files, as_tsv, as_bare_tsv, as_jsonl, as_nested_jsonl, as_parquet, as_parquet_parts]


@pytest.mark.parametrize("form", FORMS)
@hostile
@given(data=st.data())
def test_every_form_gives_the_same_pairs(
    tmp_path_factory: pytest.TempPathFactory, form: Callable[[Path, dict[str, list[str]]], Corpus], data: st.DataObject
) -> None:
    line = LINE.filter(lambda text: "\t" not in text and not text.endswith("\r") and not text.startswith("\ufeff"))
    rows = data.draw(st.lists(st.tuples(line, line), min_size=1, max_size=8))
    text = {"en": [en for en, _ in rows], "de": [de for _, de in rows]}
    corpus = form(tmp_path_factory.mktemp("form"), text)
    assert [(pair.source, pair.target) for pair in corpus.pairs("train")] == rows
    assert [(pair.source, pair.target) for pair in corpus.pairs("train")] == rows  # and again


def test_a_folder_of_datasets_gives_the_same_pairs(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    text = sentences(30, ["en", "de"])
    columns = {"english": text["en"], "de": text["de"]}
    datasets.DatasetDict({"validation": datasets.Dataset.from_dict(columns)}).save_to_disk(str(tmp_path / "disk"))
    (tmp_path / "folder").mkdir()
    pq.write_table(
        pa.table({"translation": [{"en": e, "de": d} for e, d in zip(*text.values(), strict=True)]}),
        tmp_path / "folder/train.parquet",
    )
    disk = Datasets(
        str(tmp_path / "disk"), None, None, {"en": "english"}, {"valid": "validation"}, ["en-de"], [], [], ["valid"], []
    )
    folder = Datasets(str(tmp_path / "folder"), None, None, {}, {}, ["en-de"], [], ["train"], [], [])
    for corpus, split in ((disk, "valid"), (folder, "train")):
        assert [(pair.source, pair.target) for pair in corpus.pairs(split)] == list(
            zip(text["en"], text["de"], strict=True)
        )
        assert corpus.fingerprint(split) == corpus.fingerprint(split)
    with pytest.raises(DataError, match="split train is not available"):
        list(disk.pairs("train"))
    with pytest.raises(DataError, match="no text in language fr"):
        list(Datasets(str(tmp_path / "folder"), None, None, {}, {}, ["en-fr"], [], ["train"], [], []).pairs("train"))


def test_the_fallback_reads_the_folder_where_there_is_one(tmp_path: Path) -> None:
    write(tmp_path / "here", "train", {"en": ["a"], "de": ["b"]})
    write(tmp_path / "hub", "train", {"en": ["c"], "de": ["d"]})
    for path, expected in (("here", "a"), ("nowhere", "c")):
        local, hub = files(tmp_path / "here"), files(tmp_path / "hub")
        corpus = Fallback(str(tmp_path / path), ["en-de"], ["train"], [], [], local, hub)
        assert texts(corpus, "en") == [expected]
        assert corpus.fingerprint("train") == (local if path == "here" else hub).fingerprint("train")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.tsv", "en\tde\na\tb\nc\n", r"train\.tsv:3: expected 2 fields .*got 1"),
        ("train.tsv", "en\tfr\na\tb\n", r"train\.tsv:1: no column de; the columns are en, fr"),
        ("train.tsv", "en\tde\n", r"is empty"),
        ("train.jsonl", '{"en": "a", "de": "b"}\n{"en": \n', r"train\.jsonl:2: expected a JSON object"),
        ("train.jsonl", "[1]\n", r"train\.jsonl:1: expected a JSON object, got"),
        ("train.jsonl", '{"en": "a", "de": 3}\n', r"train\.jsonl:1: de: expected text, got 3"),
        ("train.jsonl", '{"en": "a", "de": "\\ud800"}\n', r"train\.jsonl:1: expected a JSON object"),
        ("train.jsonl", '{"en": "a", "fr": "b"}\n', r"no text in language de; the data has .*fr"),
        ("train.parquet", "no parquet", r"train\.parquet:1: cannot be read"),
    ],
)
def test_broken_tables_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_bytes(content.encode())
    readers = {
        ".tsv": TSV(str(tmp_path), [], ["en-de"], [], ["train"], [], []),
        ".jsonl": JSONL(str(tmp_path), ["en-de"], [], ["train"], [], []),
        ".parquet": Parquet(str(tmp_path), ["en-de"], [], ["train"], [], []),
    }
    with pytest.raises(DataError, match=message):
        list(readers[Path(name).suffix].pairs("train"))


def test_carriage_returns_are_removed_and_counted(tmp_path: Path) -> None:
    write(tmp_path, "train", {"en": ["a\r", "b\r"], "de": ["c", "d\r"]})
    corpus = files(tmp_path)
    assert [(pair.source, pair.target) for pair in corpus.pairs("train")] == [("a", "c"), ("b", "d")]
    assert corpus.carriage_returns == {"train.en": 2, "train.de": 1}


def test_all_broken_lines_are_counted_and_some_named(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("en\tde\n" + "a\tb\n" + "c\n" * 7 + "a\tb\n", "utf-8")
    corpus = TSV(str(tmp_path), [], ["en-de"], [], ["train"], [], [])
    with pytest.raises(DataError, match=r"tsv:3: .*got 1.*\(7 lines of the file are broken: 3, 4, 5, 6, 7, \.\.\.\)"):
        list(corpus.pairs("train"))
    (tmp_path / "train.jsonl").write_text('{"en": "a", "de": "b"}\n[1]\n{"en": 3, "de": "b"}\n', "utf-8")
    with pytest.raises(DataError, match=r"jsonl:2: expected a JSON object.*\(2 lines of the file are broken: 2, 3\)"):
        list(JSONL(str(tmp_path), ["en-de"], [], ["train"], [], []).pairs("train"))
