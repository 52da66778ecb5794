"""Which held-out lines training is judged by, and by which score."""

from collections import Counter
from pathlib import Path

import pytest
from toy_text import vocabulary, write

from seq2seq.data.corpus.base import Pair
from seq2seq.data.corpus.files import Files
from seq2seq.data.dataset.prepare import prepare
from seq2seq.data.dataset.store import Store
from seq2seq.errors import ConfigError
from seq2seq.evaluation.validation_text import automatic_metric, held_out_pairs, short_lines

DIRECTIONS = [("en", "de"), ("de", "en")]


def stores(folder: Path, sizes: tuple[int, ...]) -> list[Store]:
    """Validation sets v0, v1, ... of so many lines, in both directions."""
    names = [f"v{number}" for number in range(len(sizes))]
    for name, size in zip(names, sizes, strict=True):
        texts = {language: [f"{name} {language} {line}" for line in range(size)] for language in ("en", "de")}
        write(folder, name, texts)
    write(folder, "train", {language: [f"v {language} {line}" for line in range(400)] for language in ("en", "de")})
    corpus = Files(str(folder), ["en-de", "de-en"], [], ["train"], names, [])
    return list(prepare(corpus, {}, vocabulary(size=290), folder / "cache", 100, print).valid.values())


def test_every_set_and_direction_has_its_share_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    found = stores(tmp_path, (60, 30, 10))
    pairs = held_out_pairs(found, DIRECTIONS, 40)
    assert Counter(pair[:2] for pair in pairs) == dict.fromkeys(DIRECTIONS, 20)
    for direction in DIRECTIONS:
        lines = [pair.source for pair in pairs if pair[:2] == direction]
        assert len(set(lines)) == 20
        assert Counter(line.split()[0] for line in lines) == {"v0": 12, "v1": 6, "v2": 2}
        numbers = [int(line.split()[2]) for line in lines if line.startswith("v0")]
        assert all(5 * place <= number < 5 * place + 5 for place, number in enumerate(numbers))
        assert numbers != list(range(0, 60, 5)) != numbers[:1]
    assert pairs == held_out_pairs(found, DIRECTIONS, 40)


def test_all_lines_where_there_are_no_more(tmp_path: Path) -> None:
    found = stores(tmp_path, (6, 3))
    whole = [pair for store in found for pair in store.pairs()]
    assert sorted(held_out_pairs(found, DIRECTIONS, 100)) == sorted(whole)
    assert sorted(held_out_pairs(found, DIRECTIONS, 18)) == sorted(whole)
    with pytest.raises(ConfigError, match=r"validation\.max_lines: expected at least one a direction \(2\), got 1"):
        held_out_pairs(found, DIRECTIONS, 1)


def pairs(target: str, *references: str) -> list[Pair]:
    return [Pair("en", target, "a line", reference, "") for reference in references]


@pytest.mark.parametrize(
    ("held_out", "metric"),
    [
        (pairs("de", "ein Hund sieht das Haus", "vier Wörter sind genug", "zwei Wörter"), "bleu"),
        (pairs("de", "Hund", "Katze", "ein großes Haus"), "chrf"),
        (pairs("th", "กขคงจ", "จฉชซ"), "bleu"),
        (pairs("xx", "กขคงจ", "จฉชซ"), "chrf"),
        (pairs("zh_CN", "我看见猫"), "bleu"),
        (pairs("zh_CN", "我看"), "chrf"),
        (pairs("de", "ein Hund sieht das Haus") + pairs("fr", "un", "deux"), "chrf"),
    ],
)
def test_bleu_judges_where_it_has_words_to_count(held_out: list[Pair], metric: str) -> None:
    found, reason = automatic_metric(held_out)
    assert found == metric
    assert metric == "bleu" or "references of en-" in reason


def test_short_lines_are_counted_in_words_of_the_language() -> None:
    assert short_lines(["กขคง", "กข", ""], "th") == 2
    assert short_lines(["กขคง", "a b c d"], "en") == 1
