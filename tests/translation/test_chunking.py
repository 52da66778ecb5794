"""A giant line goes through in stretches, and nobody sees that in its translation."""

import itertools
from collections.abc import Iterator, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_search import greedy
from toy_translator import DIRECTIONS, Echo, echo_translator, echoed, random_model, toy_tokenizer

from seq2seq.search.constrained import Constrained
from seq2seq.translation import translator as translating
from seq2seq.translation.line import Line
from seq2seq.translation.stages import chunking as stretches
from seq2seq.translation.stages.chunking import Chunk, split_into_chunks
from seq2seq.translation.stages.segmentation import WINDOW, SegmentLimits, rows
from seq2seq.translation.translation import Status, Translation
from seq2seq.translation.translator import Translator

LONGEST = 16
UNITS = st.sampled_from(["the dog sees the house. ", "one, ", "two ", "x" * 70, " " * 50, "\x00" * 30, "Ω", "\u2028"])
TEXT = st.lists(st.tuples(UNITS, st.integers(1, 40)), max_size=6).map(
    lambda parts: "".join(unit * count for unit, count in parts)
)


def letters(units: Sequence[str]) -> list[list[int]]:
    return [list(map(ord, unit)) for unit in units]


@given(st.lists(TEXT, max_size=5), st.integers(30, 400))
@settings(max_examples=60, deadline=None)
def test_stretches_are_the_lines_and_portions_are_small(lines: list[str], longest: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "MAX_CHUNK", 1000)
        found = list(split_into_chunks(lines, "en", longest))
    assert [portion.whole for portion in found] == [False] * (len(found) - 1) + [True]
    together = [pair for portion in found for pair in zip(portion.segments, portion.lines, strict=True)]
    assert [line.text for _, line in together if line is not None] == lines
    ended = [line is not None for _, line in together]
    begins = [0, *(place + 1 for place, ends in enumerate(ended) if ends)]
    assert begins[-1] == len(together)
    for begin, end, line in zip(begins, begins[1:], lines, strict=False):
        texts = [stretch.text for stretch, _ in together[begin:end]]
        assert "".join(texts) == line and all(len(text) <= 1.5 * longest for text in texts)
        assert len(texts) == 1 or len(line) > longest
    for portion in found:
        assert len(portion.segments) < 2 or sum(len(one.text) for one in portion.segments) <= 1000


@pytest.mark.parametrize("text", ["the dog. " * 900, "house, " * 900 + "x" * 9000, "one two " * 2000, "e\u0301" * 3000])
def test_parts_of_stretches_are_the_parts_of_the_line(text: str) -> None:
    [whole] = rows([text], "en", letters, [SegmentLimits(LONGEST)])
    [portion] = split_into_chunks([text], "en", WINDOW * LONGEST)
    apart = rows(
        [stretch.text for stretch in portion.segments], "en", letters, [SegmentLimits(LONGEST)] * len(portion.segments)
    )
    assert len(portion.segments) > 3
    assert [cut.text for cut in whole] == [cut.text for cuts in apart for cut in cuts]


def both(
    monkeypatch: pytest.MonkeyPatch, translator: Translator, lines: list[str], asked: bool
) -> list[list[Translation]]:
    """What becomes of lines in stretches and portions, and as wholes."""
    found = []
    for module, name, value in ((stretches, "MAX_CHUNK", 2000), (translating, "WINDOW", 10**9)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            every = translator.translate(lines, "en", "de", tokens=asked, alignments=asked)
            found.append([one._replace(seconds=0.0) for one in every])
    return found


def test_a_giant_line_is_translated_whole_between_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    giant = "the dog sees the house. one, two " * 60 + "house" * 300 + " \x00 " * 900
    lines = ["one", giant, "", giant.upper()[:3000], "two", " " * 9000, "\x00" * 9000]
    model = Echo()
    found, wholes = both(monkeypatch, echo_translator(model, longest=LONGEST), lines, False)
    assert found == wholes
    for line, one in zip(lines, found, strict=True):
        assert one.text.replace(" ", "") == echoed(line).replace(" ", "")
    assert [one.status for one in found[::2]] == [Status.OK, Status.BLANK, Status.OK, Status.BLANK]
    assert found[1].notes == (Status.COPIED, Status.SPLIT) and found[1].best[0].text == found[1].text
    assert found[5].status is Status.BLANK and not found[5].best
    assert max(length for _, length in model.batches) <= LONGEST + 2


def test_what_is_told_of_a_giant_line_belongs_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = (random_model(), toy_tokenizer(), greedy(1.0, 3), DIRECTIONS, LONGEST, 500)
    translator = Translator(*parts, torch.float32, torch.device("cpu"))
    text = "the dog sees " * 60 + " " * 1500 + "hou" + "se" * 300
    [[found], [whole]] = both(monkeypatch, translator, [text], True)
    assert found.text == whole.text and found.notes == whole.notes and found.score == pytest.approx(whole.score, 1e-4)
    assert found.best[0].alignment == whole.best[0].alignment
    assert [token.piece for token in found.best[0].tokens] == [token.piece for token in whole.best[0].tokens]


def test_wishes_for_a_giant_line_are_met_or_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "MAX_CHUNK", 1500)
    text = "the dog sees the house. " * 100
    asked = [Line(text, prefix="Hund"), Line(text, banned=("dog",)), Line(text, prefix="Hund dog.", banned=("dog",))]
    begun, without, neither = echo_translator(longest=LONGEST).translate(asked, "en", "de")
    assert begun.text.startswith("Hund") and begun.text.count("Hund") == 1 and Status.UNMET not in begun.notes
    assert "dog" not in without.text.split() and Status.UNMET not in without.notes
    assert neither.status is Status.UNMET
    promising = echo_translator(search=Constrained(2, 1, "gnmt", 1.0, 1.0, 2, 0.0, 0), longest=LONGEST)
    [there, missing] = promising.translate(
        [Line(text[:1200], required=("dog",)), Line(text[:1200], required=("Hund",))], "en", "de"
    )
    assert Status.UNMET not in there.notes and missing.status is Status.UNMET


def test_a_giant_line_is_not_held_back_by_those_behind_it() -> None:
    def lines() -> Iterator[str]:
        yield "one " * 600
        for number in itertools.count():
            assert number < 3000
            yield f"two {number}"

    found = echo_translator(longest=LONGEST).translate(lines(), "en", "de")
    assert next(found).text.split() == ["one"] * 600
    assert next(found).text == "two 0"


def test_a_chunk_without_lines_stays_one() -> None:
    assert list(split_into_chunks([], "en", 100)) == [Chunk([], [], True)]
    assert list(echo_translator().translate_chunks([[], ["one"], []], "en", "de"))[::2] == [[], []]


def test_sentences_are_stretches_where_the_model_cannot_read_what_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "The dog sees. One house. Two"
    [portion] = split_into_chunks([line, "one", ""], "en", 100, split_sentences=True)
    assert [one.text for one in portion.segments] == ["The dog sees. ", "One house. ", "Two", "one", ""]
    assert [one and one.text for one in portion.lines] == [None, None, line, "one", ""] and not portion.broken
    assert [one.text for one in next(split_into_chunks([Line(line, required=("dog",))], "en", 100, True)).segments] == [
        line
    ]
    for stops, expected in ((".", 1), ("☃", 3)):
        monkeypatch.setattr(translating, "FULL_STOPS", frozenset(stops))
        model = Echo()
        [found] = echo_translator(model, most=5).translate([line], "en", "de")
        assert (model.rows, found.text) == (expected, line) and Status.SPLIT not in found.notes
