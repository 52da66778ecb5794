"""Cleaning: what each filter drops, and that counts add up whatever passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_text import LINE, every_filter

from seq2seq.data.cleaning import hash_set as seen_module
from seq2seq.data.cleaning.base import Counts, Filter, clean
from seq2seq.data.cleaning.control import Control
from seq2seq.data.cleaning.duplicate import Duplicate
from seq2seq.data.cleaning.empty import Empty
from seq2seq.data.cleaning.hash_set import HashSet
from seq2seq.data.cleaning.identical import Identical
from seq2seq.data.cleaning.length import Length
from seq2seq.data.cleaning.ratio import Ratio
from seq2seq.data.corpus.base import Pair
from seq2seq.errors import ConfigError


def pair(source: str, target: str, languages: tuple[str, str] = ("en", "de")) -> Pair:
    return Pair(*languages, source, target, "here:1")


@pytest.mark.parametrize(
    ("member", "source", "target", "kept"),
    [
        (Empty(), "a", "b", True),
        (Empty(), "", "b", False),
        (Empty(), "a", " \u3000\t", False),
        (Length(2, 3), "ab", "abc", True),
        (Length(2, 3), "a", "abc", False),
        (Length(2, 3), "ab", "abcd", False),
        (Ratio(2.0, 0), "ab", "abcd", True),
        (Ratio(2.0, 0), "ab", "abcde", False),
        (Ratio(2.0, 0), "abcde", "ab", False),
        (Ratio(2.0, 5), "abcde", "a", True),
        (Ratio(2.0, 0), "東京", "abcdef", True),  # 6 bytes each
        (Identical(0), " same", "same ", False),
        (Identical(0), "same", "Same", True),
        (Identical(4), "same", "same", True),
        (Control(), "a\tb", "c", True),
        (Control(), "zero\u200dwidth", "c", True),
        *[(Control(), "a", f"b{one}c", False) for one in "\x00\x0b\x0c\r\n\x85\u2028\u2029\ufeff\ufffd"],
    ],
)
def test_what_a_filter_keeps(member: Filter, source: str, target: str, kept: bool) -> None:
    assert member.keep(pair(source, target)) is kept


def test_duplicates_are_pairs_of_the_same_languages() -> None:
    member = Duplicate(10)
    assert [member.keep(one) for one in [pair("a", "b"), pair("a", "c"), pair("a", "b")]] == [True, True, False]
    assert member.keep(pair("a", "b", ("de", "en")))
    assert member.fresh().keep(pair("a", "b"))


def test_a_full_memory_still_compares() -> None:
    member = Duplicate(1)
    assert [member.keep(pair(text, "x")) for text in ("a", "b", "b", "a")] == [True, True, True, False]


def test_seen_is_a_set_beyond_its_first_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_module, "FIRST_SLOTS", 4)
    seen = HashSet(10_000)
    texts = [str(number) for number in range(1000)]
    assert all(seen.add(text) for text in texts)
    assert not any(seen.add(text) for text in texts)
    assert "0" in seen and "no" not in seen


@given(rows=st.lists(st.tuples(LINE, LINE)))
def test_counts_add_up_and_a_second_cleaning_drops_nothing(rows: list[tuple[str, str]]) -> None:
    filters = every_filter()
    counts = Counts()
    kept = list(clean([pair(*row) for row in rows], filters, counts))
    assert counts.total == len(rows) and counts.kept == len(kept)
    assert set(counts.dropped) == set(filters)
    again = Counts()
    assert list(clean(kept, filters, again)) == kept and again.kept == again.total


def test_a_pair_is_dropped_for_the_first_reason_and_the_table_says_so() -> None:
    counts = Counts()
    rows = [pair("", ""), pair("same", "same"), pair("one", "eins"), pair("one", "eins")]
    assert len(list(clean(rows, every_filter(), counts))) == 1
    assert {reason: count for reason, count in counts.dropped.items() if count} == {
        "empty": 1,
        "identical": 1,
        "duplicate": 1,
    }
    assert str(counts) == "kept 1 of 4; dropped: 1 empty, 1 identical, 1 duplicate"


@pytest.mark.parametrize(
    "make",
    [lambda: Length(3, 2), lambda: Ratio(0.5, 0), lambda: Identical(-1), lambda: Duplicate(0), lambda: Ratio(2.0, -1)],
)
def test_illegal_settings_are_refused(make: object) -> None:
    with pytest.raises(ConfigError, match="cleaning"):
        make()  # type: ignore[operator]


def test_the_recorded_configuration_holds_every_setting_and_no_memory() -> None:
    assert repr(Length(1, 5)) != repr(Length(1, 6))
    member = Duplicate(5)
    before = repr(member)
    member.keep(pair("a", "b"))
    assert repr(member) == before == "Duplicate(max_remembered=5)"
