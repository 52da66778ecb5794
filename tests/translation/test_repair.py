"""Translations that loop are searched again, and only what is better takes their place."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from toy_translator import DIRECTIONS, Echo, toy_tokenizer

from seq2seq.errors import ConfigError
from seq2seq.network.state import State
from seq2seq.search.base import Hypothesis
from seq2seq.search.beam import Beam
from seq2seq.search.greedy import Greedy
from seq2seq.special_tokens import EOS
from seq2seq.translation.checks.repair import LONGEST_RUN, Repair, most_repeats
from seq2seq.translation.translation import Status
from seq2seq.translation.translator import Translator


def slowly(tokens: list[int]) -> int:
    """The definition, word for word."""
    most = 1
    for begin in range(len(tokens)):
        for length in range(1, LONGEST_RUN + 1):
            run, count = tokens[begin : begin + length], 1
            while len(run) == length and tokens[begin + count * length :][:length] == run:
                count += 1
            most = max(most, count)
    return most


@given(st.lists(st.integers(0, 2), max_size=40) | st.lists(st.integers(0, 40), max_size=12).map(lambda run: run * 4))
@settings(max_examples=300, deadline=None)
def test_repeats_are_counted(tokens: list[int]) -> None:
    assert most_repeats(tokens) == slowly(tokens)


def test_what_the_source_does_is_no_loop() -> None:
    repair = Repair(3, 2)
    assert repair.loops([1, 2, 3], [7, 8, 7, 8, 7, 8])
    assert not repair.loops([1, 2, 3], [7, 8, 7, 8, 7])
    assert not repair.loops([5, 5, 5], [7, 8, 7, 8, 7, 8])
    assert repair.loops([5, 5, 5], [7, 7, 7, 7])


def test_only_a_translation_that_ends_without_a_loop_and_no_later_is_better() -> None:
    repair, loop = Repair(3, 2), Hypothesis([7] * 5, -1.0, -0.2, True)
    assert repair.better([1], loop, Hypothesis([7, 8, 9, 7, 8], -9.0, -2.0, True))
    assert not repair.better([1], loop, Hypothesis([7, 8, 9], -9.0, -2.0, False))
    assert not repair.better([1], loop, Hypothesis([8, 8, 8], -9.0, -2.0, True))
    assert not repair.better([1], loop, Hypothesis([7, 8, 9, 7, 8, 9], -9.0, -2.0, True))


class Stuck(Echo):
    """Says its source; one of fewer than eight tokens it begins again and again, and ending is its second choice."""

    def step(self, tokens: Tensor, state: State, memory: State) -> tuple[Tensor, State]:
        assert isinstance(memory, Tensor) and isinstance(state, Tensor)
        words = (memory != 0).sum(1, keepdim=True) - 2  # without tag and EOS
        place = torch.where(words < 8, state % words, state)
        scores, _ = super().step(tokens, place, memory)
        ends = torch.zeros_like(scores).index_fill_(-1, torch.tensor([EOS]), 15.0)
        return (scores + ends).log_softmax(-1), state + 1


def stuck(search: Greedy | Beam, repair: Repair | None, batch: int = 500) -> Translator:
    parts = (Stuck(), toy_tokenizer(), search, DIRECTIONS, 100, batch, torch.float32, torch.device("cpu"))
    return Translator(*parts, repair)


LINES = ["dog", "the big dog sees the house", "two dog", "", "dog dog dog dog dog dog dog dog dog", "the dog two"]


def test_loops_are_mended_and_everything_else_is_left() -> None:
    search = Greedy(2.0, 12, 0.0, 0)
    before = list(stuck(search, None).translate(LINES, "en", "de"))
    after = list(stuck(search, Repair(3, 2)).translate(LINES, "en", "de"))
    assert [one.status for one in before] == ["truncated", "copied", "truncated", "blank", "copied", "truncated"]
    assert [one.status for one in after] == ["repaired", "copied", "repaired", "blank", "copied", "repaired"]
    assert after[0].text in ("dog", "dog dog") and after[5].text.startswith("the dog two")
    for number in (1, 3, 4):
        assert after[number]._replace(seconds=0) == before[number]._replace(seconds=0)


def test_what_a_second_search_does_not_mend_stays_as_it_was() -> None:
    search = Greedy(2.0, 12, 0.0, 0)
    [before] = stuck(search, None).translate(["dog two"], "en", "de")
    [after] = stuck(search, Repair(3, 300)).translate(["dog two"], "en", "de")
    assert after._replace(seconds=0) == before._replace(seconds=0) and after.status == Status.TRUNCATED


@pytest.mark.slow
def test_batches_and_processes_mend_alike() -> None:
    search = Beam(2, 1, "gnmt", 1.0, 2.0, 12, 0.0, 0)
    alone = [one._replace(seconds=0) for one in stuck(search, Repair(3, 2), 1).translate(LINES * 9, "en", "de")]
    several = stuck(search, Repair(3, 2), 90)
    with several.in_processes(2):
        assert [one._replace(seconds=0) for one in several.translate(LINES * 9, "en", "de")] == alone


@pytest.mark.parametrize(("min_repeats", "no_repeat_ngram"), [(1, 3), (4, 0)])
def test_illegal_settings_are_refused(min_repeats: int, no_repeat_ngram: int) -> None:
    with pytest.raises(ConfigError, match=r"translator\.repair\.(min_repeats|no_repeat_ngram): expected"):
        Repair(min_repeats, no_repeat_ngram)
