"""Lines as parts: sentences, and what is cut of one that is too long."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_translator import Echo, echo_translator

from seq2seq.search.constrained import Constrained
from seq2seq.translation.checks.completeness import Lengths
from seq2seq.translation.line import Line
from seq2seq.translation.stages.chunking import gap
from seq2seq.translation.stages.segmentation import WINDOW, SegmentLimits, rows, split
from seq2seq.translation.translation import Status


def letters(units: Sequence[str]) -> list[list[int]]:
    return [[*map(ord, unit)] for unit in units]


@given(
    st.text(st.sampled_from("ab.!,  \n。、-\u0301\u200d"), max_size=300) | st.text(max_size=300),
    st.integers(1, 30),
    st.integers(1, 3),
)
@settings(max_examples=200, deadline=None)
def test_parts_of_a_long_line_are_the_line_and_short_enough(text: str, longest: int, most: int) -> None:
    cuts = list(split(text * 9, "en", letters, SegmentLimits(longest, most)))  # several windows where parts are short
    assert "".join(cut.text for cut in cuts) == text * 9
    assert all(len(cut.text) <= longest and [cut.ids] == letters([cut.text]) for cut in cuts)


def test_long_lines_are_cut_where_it_hurts_least() -> None:
    def words(units: Sequence[str]) -> list[list[int]]:
        return [[*map(len, unit.split())] for unit in units]

    def parts(text: str, longest: int, most: int = 9) -> list[str]:
        return [cut.text for cut in split(text, "en", words, SegmentLimits(longest, most))]

    assert parts("On it. He is. So am.", 4) == ["On it. He is. ", "So am."]
    assert parts("On it, he is so, am.", 5) == ["On it, ", "he is so, am."]
    assert parts("On it, he is; so, am.", 5) == ["On it, he is; ", "so, am."]
    assert parts("On it, he is - so, am.", 6) == ["On it, he is ", "- so, am."]
    assert parts("On it he is so", 3) == ["On it he ", "is so"]
    assert parts("On it", 2) == ["On it"]
    several = "On it. He is. So am. We go on as he. No!"
    assert parts(several, 4) == ["On it. He is. ", "So am. ", "We go on ", "as he. ", "No!"]
    assert parts(several, 9) == ["On it. He is. So am. ", "We go on as he. No!"]
    assert parts(several, 9, 2) == ["On it. He is. ", "So am. ", "We go on as he. No!"]
    assert parts(several, 9, 1) == ["On it. ", "He is. ", "So am. ", "We go on as he. ", "No!"]


def test_a_part_says_whether_a_sentence_was_cut() -> None:
    def whole(text: str, longest: int) -> list[bool]:
        return [cut.whole for cut in split(text, "en", letters, SegmentLimits(longest))]

    assert whole("It is. So, well.", 9) == [True, True]
    assert whole("It is. So, it is well.", 9) == [True, False, False, False]
    assert whole("It is. " * 200, 9) == [True] * 200
    assert not any(whole("it is, " * 200, 9))


@pytest.mark.parametrize(
    "text", ["He met Mr. Smith.", "Am 3. Mai kam er.", "J. S. Bach, z.B. Fugen.", "It is 5 p.m. and late."]
)
def test_not_every_full_stop_ends_a_sentence(text: str) -> None:
    def each(units: Sequence[str]) -> list[list[int]]:
        return [[1] * len(unit.split()) for unit in units]

    assert [
        cut.text for cut in split(text + " And then? " + text, "de" if "Mai" in text else "en", each, SegmentLimits(20))
    ] == [text + " ", "And then? ", text]


def test_as_many_sentences_stay_together_as_training_had() -> None:
    lines = ["The dog. One.", "The dog sees. The big house. One.", "the big dog sees the big house and the big dog"]
    for most, rows_ in ((1, [2, 3, 1]), (2, [1, 2, 1]), (3, [1, 1, 1])):
        for line, expected in zip(lines, rows_, strict=True):
            model = Echo()
            [found] = echo_translator(model, longest=100, most=most).translate([line], "en", "de")
            assert (model.rows, found.text) == (expected, line) and Status.SPLIT not in found.notes


def test_a_translation_far_shorter_than_those_of_training_says_so() -> None:
    translator = echo_translator(longest=100)
    lines = ["the dog sees the big house", "One dog. The dog sees the big house.", "one"]
    for ratio, short in ((1.0, [False] * 3), (2.0, [True, True, False])):
        translator.lengths = {("en", "de"): Lengths(ratio=ratio, shortest=-2.5)}
        found = list(translator.translate(lines, "en", "de"))
        assert [Status.INCOMPLETE in one.notes for one in found] == short
    assert all(Status.INCOMPLETE not in one.notes for one in translator.translate(lines, "de", "en"))


def test_phrases_that_a_line_requires_keep_its_sentences_together() -> None:
    model = Echo()
    translator = echo_translator(model, Constrained(2, 1, "gnmt", 1.0, 1.0, 2, 0.0, 0), longest=100)
    lines = [Line("The dog. One dog.", required=("Hund",)), Line("The dog. One dog.")]
    [there, _] = translator.translate(lines, "en", "de")
    assert "Hund" in there.text and model.rows == 3


@pytest.mark.parametrize(
    ("before", "behind", "language", "expected"),
    [
        ("Ein Hund.", "Ein Mann.", "de", " "),
        ("狗跑。", "人睡。", "zh", ""),
        ("狗跑。", "New York", "zh", ""),
        ("iPhone.", "New York", "zh", " "),
        ("犬が走る。", "「猫」", "ja", ""),
        ("หมาวิ่ง", "คนนอน", "th", " "),
        ("ឆ្កែ។", "មនុស្ស។", "km", " "),
        ("", "猫", "zh", ""),
    ],
)
def test_what_stands_between_two_sentences(before: str, behind: str, language: str, expected: str) -> None:
    assert gap(before, behind, language) == expected


def test_marks_stay_with_their_characters() -> None:
    [family, accent] = ["👨\u200d👩\u200d👧", "e\u0301"]
    for text in (family * 200, accent * 500):
        cuts = [cut.text for cut in split(text, "en", letters, SegmentLimits(27))]
        assert len(cuts) > 10
        assert all(cut[0] in "👨e" and cut[-1] in "👧\u0301" for cut in cuts)


@pytest.mark.parametrize("text", ["the dog sees it. ", "x", "\u00a0", "a, b - ", ". ", "\u0301"])
def test_cutting_costs_no_more_for_a_letter_of_a_longer_line(text: str) -> None:
    """Every letter is encoded a few times, however long the line and whatever it is made of."""
    for length in (3_000, 50_000):
        encoded = 0

        def counted(units: Sequence[str]) -> list[list[int]]:
            nonlocal encoded
            encoded += sum(map(len, units))
            return letters(units)

        line = text * (length // len(text))
        assert sum(len(cut.ids) for cut in split(line, "en", counted, SegmentLimits(16))) == len(line)
        assert encoded <= 4 * len(line)


def test_giant_lines_are_cut_without_being_encoded_as_a_whole() -> None:
    largest = 0

    def encode(units: Sequence[str]) -> list[list[int]]:
        nonlocal largest
        largest = max([largest, *map(len, units)])
        return letters(units)

    texts = ["a" * 100_000, "", " \t" * 100_000, "a b", "the dog. " * 9000 + " " * 90_000]
    found = rows(texts, "en", encode, [SegmentLimits(20)] * 5)
    assert largest <= 20 * WINDOW
    assert [len(found[number]) for number in (1, 2, 3)] == [0, 0, 1]
    assert sum(len(part.ids) for part in found[0]) == 100_000 and all(
        len(part.ids) <= 20 for row in found for part in row
    )
    assert sum(ids.count(ord("d")) for ids in (list(part.ids) for part in found[4])) == 9000
