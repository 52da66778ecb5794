"""Laws of the tables of words: they say what a network would and compute each word once; all share them."""

import copy
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor
from toy_network import VOCABULARY, members, toy_batch, toy_model
from toy_translator import DIRECTIONS, random_model, toy_tokenizer

from seq2seq.device import Format, autocast, precision
from seq2seq.network.attention.hooks import with_shared_weights
from seq2seq.network.coverage_penalty import CoveragePenalty
from seq2seq.network.inference import projection_cache as module
from seq2seq.network.inference.optimise import optimise_for_inference
from seq2seq.network.inference.projection_cache import ProjectionCache
from seq2seq.network.model import Model
from seq2seq.network.state import State, tensors
from seq2seq.search.greedy import Greedy
from seq2seq.translation.translator import Translator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

CPU = torch.device("cpu")
FURTHEST = {"fp32": 1e-5, "bf16": 0.02, "int8": 1e-5}
MET = [*((name, "fp32") for name in members("decoder")), ("parallel", "bf16"), ("parallel", "int8")]
BATCH = toy_batch([[4, 6, 7, 8, 9], [4, 9, 10]], [[4], [4]])
ASKED = [torch.tensor(rows) for rows in ([[7], [8]], [[9, 7, 5], [9, 8, 9]], [[12, 0, 5], [5, 5, 5]], [[7], [5]])]


def both(tokens: Tensor) -> State:
    """Stands for a decoder: two tensors that depend on the token alone."""
    return tokens.unsqueeze(-1) * torch.ones(3), (tokens.unsqueeze(-1) * torch.full((2,), -2.0)).bfloat16()


class Counting:
    """The same, remembering what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, tokens: Tensor) -> State:
        self.asked += tokens.flatten().tolist()
        return both(tokens)


def assert_told(found: list[Tensor], wanted: list[Tensor], furthest: float) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype and one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=furthest, atol=furthest)


def empty() -> ProjectionCache:
    return ProjectionCache(VOCABULARY, both(torch.zeros(1, 1)))


def same(found: State, wanted: State) -> bool:
    return all(torch.equal(*pair) for pair in zip(tensors(found), tensors(wanted), strict=True))


@pytest.mark.usefixtures("all_formats")
@pytest.mark.parametrize(("decoder", "products"), MET)
@torch.inference_mode()
def test_a_table_says_what_the_decoder_makes_of_words(decoder: str, products: Format) -> None:
    """In steps of a search, whichever words are known already."""
    torch.manual_seed(3)
    model = toy_model(16, decoder=decoder)
    optimise_for_inference(model, products)
    assert model.table
    for asked in ASKED:
        with autocast(precision("auto" if products == "int8" else products, CPU), CPU):
            found, wanted = tensors(model.words(asked)), tensors(model.decoder.project(model.target(asked)))
        assert_told(found, wanted, FURTHEST[products])
    assert model.table.known.nonzero().flatten().tolist() == [0, 5, 7, 8, 9, 12]


@pytest.mark.usefixtures("all_formats")
@pytest.mark.parametrize("products", ["fp32", "bf16", "int8"])
@pytest.mark.parametrize("cell", ["lstm", "sru"])
@torch.inference_mode()
def test_a_table_says_what_the_encoder_makes_of_words(cell: str, products: Format) -> None:
    """A layer that looks back makes nothing of a word alone but its embedding; any other begins with more than that."""
    torch.manual_seed(3)
    model = toy_model(16, cell=cell)
    optimise_for_inference(model, products)
    assert model.source_table and len(tensors(model.source_table.rows)) == (1 if cell == "lstm" else 2)
    for asked in ASKED:
        with autocast(precision("auto" if products == "int8" else products, CPU), CPU):
            found, wanted = tensors(model.source_words(asked)), tensors(model.encoder.project(model.source(asked)))
        assert_told(found, wanted, FURTHEST[products])


def test_no_word_is_computed_that_is_known() -> None:
    table, words = empty(), Counting()
    for asked in ASKED:
        assert same(table(asked, words), both(asked))
    assert sorted(words.asked) == [0, 5, 7, 8, 9, 9, 9, 12]  # 9 stood there three times in the step that saw it first


def test_a_word_whose_row_was_not_written_is_not_known() -> None:
    """The first tensor's row is written before the second one fails; nobody may take the second for granted."""
    table = empty()
    wrong: Callable[[Tensor], State] = lambda tokens: (tensors(both(tokens))[0] + 1, torch.zeros(1, 2, 7))  # noqa: E731
    with pytest.raises((RuntimeError, IndexError)):
        table(torch.tensor([[4, 6]]), wrong)
    assert same(table(torch.tensor([[4, 6]]), both), both(torch.tensor([[4, 6]])))


def test_forked_processes_fill_one_table() -> None:
    table, words = empty(), Counting()

    def child() -> None:
        table(torch.tensor([[4, 6, 7]]), both)

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(30)
    assert process.exitcode == 0
    asked = torch.tensor([[7, 6, 4, 5]])
    assert same(table(asked, words), both(asked))
    assert words.asked == [5]


def test_threads_that_want_one_word_at_once_all_get_it() -> None:
    table, meeting = empty(), threading.Barrier(4)

    def slowly(tokens: Tensor) -> State:
        meeting.wait(30)  # until all four are computing what nobody has written yet
        return both(tokens)

    asked = [torch.tensor([[5, 6 + number]]) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda one: table(one, slowly), asked))
    assert all(same(*pair) for pair in zip(found, map(both, asked), strict=True))


def test_what_is_written_knows_no_gradients() -> None:
    """Whether gradients are computed or not, in inference mode or outside: one table serves all."""
    with torch.inference_mode():
        table = empty()
        table(torch.tensor([[4]]), both)
    weight = torch.ones(1, requires_grad=True)
    for token in (5, 6):
        found = table(torch.tensor([[4, token]]), lambda tokens: (tensors(both(tokens))[0] * weight, both(tokens)[1]))
        assert not any(part.requires_grad for part in tensors(found))
        with torch.inference_mode():
            asked = torch.tensor([[token, token + 4]])
            assert same(table(asked, both), both(asked))


@pytest.mark.usefixtures("all_formats")
def test_a_table_that_is_too_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 13 words with three numbers of four bytes and two of two each."""
    like = both(torch.zeros(1, 1))
    monkeypatch.setattr(module, "LARGEST", VOCABULARY * (3 * 4 + 2 * 2))
    assert module.projection_cache(VOCABULARY, like) and not module.projection_cache(VOCABULARY + 1, like)
    model = toy_model(16)
    wanted = tensors(model.words(ASKED[1]))
    optimise_for_inference(model, "fp32")
    assert model.table is model.source_table is None
    torch.testing.assert_close(tensors(model.words(ASKED[1])), wanted)


@pytest.mark.usefixtures("all_formats")
def test_copies_share_the_table() -> None:
    model = toy_model(16)
    assert model.table is None, "weights that are trained leave no table right"
    optimise_for_inference(model, "fp32")
    penalised = CoveragePenalty(model, 0.2).network
    assert isinstance(penalised, Model)
    for other in (with_shared_weights(model), penalised):
        assert other.table is model.table is not None


@pytest.mark.usefixtures("all_formats")
def test_a_translation_does_not_tell_who_filled_the_table() -> None:
    """Without a table, in one process, in three that fill one together, in four threads: the same lines."""
    lines = [" ".join(["the dog", "two", "big house", "", "x é"][number % 5 : number % 7]) for number in range(30)]

    def translator(tabled: bool) -> Translator:
        model = copy.deepcopy(random_model())
        optimise_for_inference(model, "fp32")
        if not tabled:
            model.table = model.source_table = None
        return Translator(model, toy_tokenizer(), Greedy(1.0, 3, 0.0, 0), DIRECTIONS, 100, 60, torch.float32, CPU)

    def texts(of: Translator) -> list[str]:
        return [one.text for one in of.translate(lines, "en", "de")]

    wanted, together, shared = texts(translator(False)), translator(True), translator(True)
    assert texts(translator(True)) == wanted and len(set(wanted)) > 5
    with together.in_processes(3):
        assert texts(together) == wanted
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(texts, [shared] * 4)) == [wanted] * 4
