"""What is said of a line: everything, and the worst first."""

import pytest

from seq2seq.search.base import Hypothesis
from seq2seq.translation.searcher import SegmentResult
from seq2seq.translation.status import copied, line_statuses, most_serious
from seq2seq.translation.translation import LOST, Status

WELL = SegmentResult([Hypothesis([7], -1.0, -0.5, True)])
ENDE = ("en", "de")


def test_everything_is_said_and_the_worst_first() -> None:
    looped = WELL._replace(notes=(Status.REPAIRED,))
    cut = WELL._replace(notes=(Status.TRUNCATED, Status.OFF_TARGET))
    assert line_statuses([WELL], "one dog", "ein Hund", ENDE) == ()
    assert line_statuses([WELL, looped], "one dog", "ein Hund", ENDE) == (Status.REPAIRED,)
    assert line_statuses([cut, looped], "one", "ein", ENDE, broken=True) == tuple(
        map(Status, ["truncated", "off-target", "repaired", "split"])
    )
    assert line_statuses([cut], "one", " ", ENDE)[0] == Status.EMPTY
    assert line_statuses([WELL], "one big dog", "One big dog!", ENDE) == (Status.COPIED,)
    assert line_statuses([WELL], "one big dog", "One big dog!", ("en", "en")) == ()


def test_what_is_lost_is_worse_than_all_else() -> None:
    assert set(most_serious(Status)[: len(LOST)]) == LOST
    assert most_serious([Status.OK, Status.EMPTY, Status.SPLIT]) == (Status.EMPTY, Status.SPLIT, Status.OK)


@pytest.mark.parametrize(
    ("source", "text", "language", "same"),
    [
        ("a dog runs.", "A dog runs", "de", True),
        ("a dog  runs 12 times", "A dog, runs: 12 Times!", "de", True),
        ("a dog runs", "ein dog runs", "de", False),
        ("dog runs", "dog runs", "de", False),  # two words may be alike in two languages
        ("Los Angeles Times", "Los Angeles Times", "de", False),  # a name
        ("A MAN SITS ON A DOG", "A MAN SITS ON A DOG", "de", True),  # too long for one
        ("Straße und Haus", "STRASSE UND Haus", "en", True),
        ("123 456 789 000", "123 456 789 000", "de", False),
        ("https://example.com/a/b", "https://example.com/a/b", "de", False),
        ("🐕 🐕 🐕", "🐕 🐕 🐕", "de", False),
        ("これは大きな犬です。", "これは大きな犬です", "zh", True),
        ("北京大学", "北京大学", "ja", False),
        ("", "", "de", False),
    ],
)
def test_copies_are_told_from_names_numbers_and_signs(source: str, text: str, language: str, same: bool) -> None:
    assert copied(source, text, language) is same
