"""The quickstart's text: parallel, without overlap, and every line with exactly one right translation."""

import datetime
import random
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

RECIPE = Path(__file__).parent.parent / "recipes" / "quickstart"
pytest.importorskip("num2words", reason="the extra recipes is not installed")
pytest.importorskip("babel", reason="the extra recipes is not installed")


@pytest.fixture(scope="module")
def recipe() -> Any:
    """The modules generate and wording, which stand beside run.sh."""
    sys.path.insert(0, str(RECIPE))
    try:
        import generate
        import wording

        yield generate, wording
    finally:
        sys.path.remove(str(RECIPE))
        for name in ("generate", "wording"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def text(recipe: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    """The lines of each split and language."""
    generate, wording = recipe
    folder = tmp_path_factory.mktemp("quickstart")
    generate.main(folder)
    return {
        split: {
            language: (folder / f"{split}.{language}").read_text("utf-8").split("\n")[:-1]
            for language in wording.LANGUAGES
        }
        for split in generate.SIZES
    }


def test_files_are_parallel(text: dict[str, dict[str, list[str]]], recipe: Any) -> None:
    for split, size in recipe[0].SIZES.items():
        assert {len(lines) for lines in text[split].values()} == {size}


def test_no_line_is_seen_twice(text: dict[str, dict[str, list[str]]]) -> None:
    """So no held-out line stands in train, and a source line has one target in every language."""
    for language in text["train"]:
        lines = [line for split in text.values() for line in split[language]]
        assert len(set(lines)) == len(lines)
        assert all(line and line == line.strip() for line in lines)


def test_the_order_never_changes(text: dict[str, dict[str, list[str]]], recipe: Any) -> None:
    """The lines depend on the seed alone, so that every machine trains on the same text."""
    generate, wording = recipe
    again = list(islice(generate.distinct(random.Random(generate.SEED)), 100))
    assert again == list(zip(*(text["train"][language][:100] for language in wording.LANGUAGES), strict=True))


@pytest.mark.parametrize(
    ("call", "language", "expected"),
    [
        (("number", 381), "de", "dreihunderteinundachtzig"),
        (("number", 21021), "es", "veintiún mil veintiuno"),
        (("number", 31000), "es", "treinta y un mil"),
        (("number", 97), "fr", "quatre-vingt-dix-sept"),
        (("amount", 1, 1, "euro"), "de", "ein Euro und ein Cent"),
        (("amount", 21, 0, "dollar"), "es", "veintiún dólares"),
        (("amount", 1, 2, "euro"), "cs", "jedno euro a dva centy"),
        (("amount", 2, 5, "euro"), "cs", "dvě eura a pět centů"),
        (("amount", 22, 0, "dollar"), "cs", "dvacet dva dolarů"),
        (("time", 1, 1), "fr", "une heure une minute"),
        (("time", 21, 21), "fr", "vingt et une heures vingt et une minutes"),
        (("time", 21, 1), "es", "veintiuna horas un minuto"),
        (("time", 1, 1), "de", "ein Uhr eine Minute"),
        (("time", 2, 0), "cs", "dvě hodiny"),
        (("time", 1, 0), "en", "one hour"),
        (("date", datetime.date(2021, 3, 1)), "fr", "lundi premier mars deux mille vingt et un"),
        (("date", datetime.date(2021, 3, 31)), "cs", "středa třicátého prvního března dva tisíce dvacet jedna"),
        (("date", datetime.date(1999, 3, 1)), "de", "Montag, der erste März neunzehnhundertneunundneunzig"),
        (("date", datetime.date(1999, 3, 1)), "en", "Monday, the first of March, nineteen ninety-nine"),
        (("date", datetime.date(1999, 3, 1)), "es", "lunes uno de marzo de mil novecientos noventa y nueve"),
    ],
)
def test_numerals_agree_with_their_nouns(call: tuple[Any, ...], language: str, expected: str, recipe: Any) -> None:
    name, *arguments = call
    assert getattr(recipe[1], name)(*arguments, language) == expected
