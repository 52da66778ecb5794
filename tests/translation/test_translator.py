"""N lines in, N lines out, in order, whatever the lines."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from toy_translator import DIRECTIONS, Echo, echo_translator, echoed, random_model, toy_tokenizer

from seq2seq.data.sentence_splitter import sentences
from seq2seq.data.tokenizer.canonical import source_text
from seq2seq.errors import ConfigError
from seq2seq.search.beam import Beam
from seq2seq.search.greedy import Greedy
from seq2seq.translation import searcher
from seq2seq.translation.translation import Status
from seq2seq.translation.translator import Translator

HOSTILE = st.text(st.characters(), max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "\t",
        "\u3000",
        "\u2028",
        "a\u2028b",
        "a\u0085b",
        "\x00",
        "a\x00b",
        "\x0b\x0c",
        "\r",
        "a\rb",
        "a\nb",
        "\ufeff",
        "the dog sees the house",
        "  two   dogs ",
        "\ud800",
        "\u200b",
        "\u2581",
        "<2de>",
        "<s>",
        "</s>",
        "<unk>",
        "é" * 40,
    ]
)


@given(st.lists(HOSTILE, max_size=30))
@settings(max_examples=60, deadline=None)
def test_every_line_has_its_own_translation_in_its_place(lines: list[str]) -> None:
    # several sentences are translated one by one, and joined by spaces
    assume(all(len(sentences(source_text(line), "en")) < 2 for line in lines))
    model = Echo()
    found = list(echo_translator(model).translate(lines, "en", "de"))
    assert [one.text for one in found] == [echoed(line) for line in lines]
    for line, one in zip(lines, found, strict=True):
        assert "\n" not in one.text
        one.text.encode("utf-8")
        assert (one.status == Status.BLANK) == (not echoed(line))
    assert model.rows == sum(one.status != Status.BLANK for one in found)


@pytest.mark.parametrize("line", ["the\ndog", "the\u2028dog", "the\x00dog", "the\tdog", "\ufeffthe dog", "the\rdog"])
def test_the_model_sees_no_controls(line: str) -> None:
    [found, other] = echo_translator().translate([line, "the dog"], "en", "de")
    assert found == other


def test_blank_lines_never_meet_the_model() -> None:
    model = Echo()
    found = list(echo_translator(model).translate(["", " \t", "\u3000", "\x0c"], "en", "de"))
    assert [(one.text, one.score, one.status) for one in found] == [("", 0.0, Status.BLANK)] * 4
    assert model.rows == 0


def random_translator(batch_tokens: int, search: Greedy | Beam) -> Translator:
    parts = (random_model(), toy_tokenizer(), search, DIRECTIONS)
    return Translator(*parts, 100, batch_tokens, torch.float32, torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("search", [Greedy(1.0, 3, 0.0, 0), Beam(3, 1, "gnmt", 1.0, 1.0, 3, 0.0, 0)])
@given(
    lines=st.lists(st.sampled_from(["one", "two dogs", "the big dog sees", "", "x"]) | HOSTILE, min_size=5, max_size=12)
)
@settings(max_examples=5, deadline=None)
def test_batches_and_order_change_nothing(search: Greedy | Beam, lines: list[str]) -> None:
    alone = list(random_translator(1, search).translate(lines, "en", "de"))
    together = list(random_translator(5000, search).translate(lines, "en", "de"))
    backwards = list(random_translator(100, search).translate(lines[::-1], "en", "de"))[::-1]
    for other in (together, backwards):
        assert [(one.text, one.status) for one in alone] == [(one.text, one.status) for one in other]
        assert [one.score for one in alone] == pytest.approx([one.score for one in other], abs=1e-3)


def test_batches_hold_no_more_tokens_than_asked() -> None:
    model = Echo()
    lines = ["the dog " * (1 + number % 7) for number in range(100)]
    list(echo_translator(model, batch=60).translate(lines, "en", "de"))
    assert model.rows == 100
    assert all(rows == 1 or rows * length <= 60 for rows, length in model.batches)
    assert max(rows for rows, _ in model.batches) > 5


def test_the_first_lines_come_out_before_the_last_are_read() -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        for read in itertools.count(1):
            yield f"one {read}"

    translations = echo_translator().translate(endless(), "en", "de")
    assert next(translations).text == "one 1"
    assert read <= 16
    for _ in range(999):
        next(translations)
    assert read <= 2100


def test_long_lines_are_translated_in_parts() -> None:
    model = Echo()
    line = "the dog sees the house. " * 30 + "house" * 50
    [found, short] = echo_translator(model, longest=32).translate([line, "one"], "en", "de")
    assert found.text.replace(" ", "") == line.replace(" ", "")
    assert found.notes == (Status.COPIED, Status.SPLIT)
    assert short.status == Status.OK
    assert all(length <= 34 for _, length in model.batches)


def test_a_translation_that_hits_the_longest_length_says_so() -> None:
    lines = ["the dog sees the house"]
    [found] = echo_translator(search=Greedy(0.0, 3, 0.0, 0)).translate(lines, "en", "de")
    assert found.status == Status.TRUNCATED
    assert lines[0].startswith(found.text)


def test_every_translation_of_the_search_is_returned() -> None:
    [found] = echo_translator(search=Beam(4, 3, "power", 1.0, 1.0, 2, 0.0, 0)).translate(["the dog"], "en", "de")
    assert len(found.best) == 3
    assert found.best[0][:2] == (found.text, found.score)
    assert len({one.text for one in found.best}) == 3


@pytest.mark.parametrize("direction", [("en", "fr"), ("en", "en"), ("", "de")])
def test_a_direction_the_model_lacks_is_refused_at_once(direction: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"this model translates en-de, de-en"):
        echo_translator().translate(["one"], *direction)


def test_the_same_language_under_another_code_is_understood_where_only_one_is_meant() -> None:
    translator = echo_translator()
    for found in (translator.translate(["one"], "eng_Latn", "deu"), translator.stream(["one"], "EN", "de_DE")):
        assert [one.text for one in found] == ["one"]
    translator.directions = [("en-GB", "de"), ("en-US", "de")]
    with pytest.raises(
        ConfigError, match=r"source=en target=de: matches several of the model's directions: en-GB-de, en-US"
    ):
        translator.translate(["one"], "en", "de")


@pytest.mark.parametrize(("longest", "batch"), [(15, 10), (16, 0)])
def test_illegal_limits_are_refused(longest: int, batch: int) -> None:
    with pytest.raises(ConfigError, match=r"max_source_length|batch_tokens"):
        echo_translator(longest=longest, batch=batch)


def test_memory_is_given_back_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice for what is searched in batches of half as much, and not for what is little."""
    times: list[None] = []
    monkeypatch.setattr(searcher, "release_memory", lambda: times.append(None))
    translator = echo_translator(search=Greedy(1.0, 3, 0.0, 0))
    for expected in (0, 1, 1, 2):
        translator.searcher._release_memory(searcher.TOKENS_BETWEEN_RELEASES // 2 + 1)
        assert len(times) == expected
    list(translator.translate(["the dog"], "en", "de"))
    assert len(times) == 2 and 0 < translator.searcher.searched < 20


@pytest.mark.parametrize("lines", ["two dogs", ""])
def test_one_text_is_no_list_of_lines(lines: str) -> None:
    """Each of its characters would be a line."""
    translator = echo_translator()
    for method in (translator.translate, translator.stream):
        with pytest.raises(ConfigError, match="lines: expected several"):
            method(lines, "en", "de")
