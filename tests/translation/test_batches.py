"""Laws of how lines are shared out in batches for search on a CPU."""

from copy import deepcopy

import pytest
import torch
from toy_search import beam
from toy_translator import DIRECTIONS, WORDS, Echo, echo_translator, random_model, toy_tokenizer

from seq2seq.device import Format
from seq2seq.evaluation.sentence_metric import ChrF
from seq2seq.network.inference.optimise import optimise_for_inference
from seq2seq.search.base import Search
from seq2seq.search.mbr import MBR
from seq2seq.translation import translator
from seq2seq.translation.translator import SHARES, Translator

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


def lines(count: int) -> list[str]:
    """Of two to nine words."""
    draw = torch.Generator().manual_seed(count)
    words = [[WORDS[int(word)][0] for word in torch.randint(len(WORDS), (9,), generator=draw)] for _ in range(count)]
    return [" ".join(line[: 2 + number % 8]) for number, line in enumerate(words)]


@pytest.mark.parametrize(("count", "fewest"), [(20, 1), (600, SHARES), (1500, 2 * SHARES)])
def test_a_file_has_batches_for_several_processes(count: int, fewest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless they would be smaller than pays: none takes more than its share of what is left, and none takes less."""
    smallest = 500
    monkeypatch.setattr(translator, "SMALLEST_BATCH", smallest)
    model = Echo()
    list(echo_translator(model, batch=10**6).translate_chunks([lines(count)], "en", "de"))
    assert fewest <= len(model.batches)
    assert sum(rows for rows, _ in model.batches) == count
    sizes = [rows * width for rows, width in model.batches]
    assert all(size <= max(smallest, sum(sizes[at:]) // SHARES) for at, size in enumerate(sizes))
    assert all(size >= 0.8 * smallest for size in sizes[:-1])


def test_a_batch_is_never_larger_than_asked_for() -> None:
    model = Echo()
    list(echo_translator(model, batch=100).translate_chunks([lines(200)], "en", "de"))
    assert 80 <= max(rows * width for rows, width in model.batches) <= 100


@pytest.mark.parametrize("search", [beam(4), MBR(beam(4), ChrF(), 1)])
def test_hypotheses_side_by_side_count(search: Search) -> None:
    model = Echo()
    list(echo_translator(model, search, batch=400).translate_chunks([lines(150)], "en", "de"))
    assert 80 <= max(rows * width for rows, width in model.batches) <= 100


@pytest.mark.usefixtures("all_formats")
@pytest.mark.parametrize("products", ["fp32", "bf16", "int8"])
def test_packed_or_not_batches_change_no_line(products: Format) -> None:
    """In whole numbers too: a row's scale is its own, so neighbours cannot push a line over a near-tie."""
    model = deepcopy(random_model())
    optimise_for_inference(model, products)
    given = [line for number, line in enumerate(lines(18)) if number % 3]

    def translated(batch: int) -> list[tuple[str, float]]:
        parts = (toy_tokenizer(), beam(3, factor=1.0), DIRECTIONS, 1000, batch, torch.float32, CPU)
        found = Translator(model, *parts).translate_chunks([given], "en", "de")
        return [(one.text, one.score) for chunk in found for one in chunk]

    together, alone = translated(500), translated(1)
    assert [text for text, _ in together] == [text for text, _ in alone]
    assert [score for _, score in together] == pytest.approx([score for _, score in alone], rel=1e-4, abs=1e-3)
