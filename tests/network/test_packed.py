"""Laws of packed matrices: they multiply as plain ones do, to rounding, whatever the network and the number of rows."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from toy_network import members, toy_batch, toy_model

from seq2seq import device
from seq2seq.device import Format
from seq2seq.network.inference import packed
from seq2seq.network.inference.optimise import optimise_for_inference
from seq2seq.network.inference.packed import BFloat16, Float32, Int8, Packed, Product, laid_out, rounded
from seq2seq.network.model import Model
from seq2seq.network.state import tensors

pytestmark = pytest.mark.usefixtures("all_formats")

FURTHEST: dict[Format, float] = {"fp32": 1e-4, "bf16": 0.03, "int8": 0.07}  # parts of the deviation of what is said
FAMILIES = ("cell", "decoder", "attention", "bridge", "encoder", "sublayer")
MET = [(family, name) for family in FAMILIES for name in members(family)]
BATCH = toy_batch([[4, 6, 7, 8, 9, 10, 11], [4, 9, 10, 5], [5, 6]], [[4], [4], [5]])
WORDS = torch.tensor([[[7], [8], [5]], [[9], [10], [12]], [[6], [11], [4]]])


@pytest.fixture
def plain() -> Model:
    torch.manual_seed(3)
    return toy_model(width=16)


@torch.inference_mode()
def said(model: Model, dtype: torch.dtype) -> Tensor:
    """Log-probabilities of three steps."""
    with device.autocast(dtype, torch.device("cpu")):
        memory, state = model.start(BATCH.source, BATCH.source_mask)
        assert all(part.is_contiguous() for part in tensors(state)), "products of parts with gaps are slow"
        steps = []
        for words in WORDS:
            likely, state = model.step(words, state, memory)
            steps.append(likely)
        return torch.stack(steps)


@pytest.mark.parametrize(("family", "name"), MET)
def test_every_network_says_the_same(family: str, name: str) -> None:
    """With weights as a training begins: those of toy models are half as large again."""
    torch.manual_seed(3)
    plain = toy_model(16, 0.0, None, **{family: name})
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.div_(1.5)
    wanted = said(plain, torch.float32)
    for precision, furthest in FURTHEST.items():
        model = deepcopy(plain)
        optimise_for_inference(model, precision)
        found = said(model, torch.float32 if precision == "fp32" else torch.bfloat16)
        deviation = float((found - wanted).std() / wanted.std())
        assert deviation <= furthest, precision
        assert precision == "fp32" or deviation > 1e-3, f"{precision}: nothing was packed"


def test_every_matrix_is_packed_but_tables(plain: Model) -> None:
    """And a table that is also the output layer is still the table."""
    before = plain.target(WORDS[0])
    optimise_for_inference(plain, "int8")
    assert torch.equal(plain.target(WORDS[0]), before)
    left = [name for name, parameter in plain.named_parameters() if parameter.ndim == 2]
    assert left == ["source.weight"]
    assert isinstance(plain.output_weight, Packed)
    product = plain.output_weight.product
    assert isinstance(product, Int8) and product.step > 0, "it still multiplies in fp32"


@pytest.mark.parametrize("kind", [Float32, BFloat16, Int8])
def test_a_product_is_linear(kind: type[Float32 | BFloat16 | Int8]) -> None:
    """Exactly, on numbers that every format holds; and a bias is added to each row."""
    draw = torch.Generator().manual_seed(1)
    weight = torch.randint(-3, 4, (24, 40), generator=draw).float()
    weight[:, 0] = 127
    x, bias = torch.randint(-2, 3, (2, 3, 40), generator=draw).float(), torch.arange(24.0)
    product = kind(weight)
    if isinstance(product, Int8):
        product.seen = 127.0
        product.freeze_scale()
    found = F.linear(x, Packed.of(weight, product), bias)
    wanted = F.linear(x, weight, bias)
    assert torch.equal(found.to(torch.float32), wanted.to(found.dtype).float())
    assert torch.equal(F.linear(x, Packed.of(weight, product)).float(), F.linear(x, weight).to(found.dtype).float())


@pytest.mark.parametrize("kind", [Float32, BFloat16, Int8])
def test_neighbours_change_nothing(kind: type[Float32 | BFloat16 | Int8]) -> None:
    """Each row of any number of rows is the row alone; in whole numbers bit for bit."""
    torch.manual_seed(2)
    product: Product = kind(torch.randn(24, 40))
    if isinstance(product, Int8):
        product.seen = 3.0
        product.freeze_scale()
    weight = Packed.of(torch.randn(24, 40), product)
    for count in (1, 5, 16, 17, 33, 100):
        x = torch.randn(count, 40)
        together, alone = (
            F.linear(x, weight).float(),
            torch.cat([F.linear(row.unsqueeze(0), weight) for row in x]).float(),
        )
        assert together.shape == (count, 24)
        torch.testing.assert_close(together, alone, rtol=0.01, atol=0.0 if kind is Int8 else 0.02)
        assert kind is not Int8 or torch.equal(together, alone)


def test_what_is_larger_than_all_that_was_seen_is_cut() -> None:
    product = Int8(torch.eye(4))
    product(torch.tensor([[1.0, -2.0, 0.5, 0.0]]), None)
    product.freeze_scale()
    found = product(torch.tensor([[99.0, -99.0, 1.0, 0.0]]), None)
    torch.testing.assert_close(found, torch.tensor([[2.0, -2.0, 1.0, 0.0]]), atol=0.02, rtol=0)


def test_whole_numbers_are_the_nearest() -> None:
    product = Int8(torch.eye(4))
    product.seen = 127.0
    product.freeze_scale()
    found = product(torch.tensor([[3.4, 3.6, -3.4, -3.6]]), None)
    torch.testing.assert_close(found, torch.tensor([[3.0, 4.0, -3.0, -4.0]]))


def test_few_numbers_of_rows() -> None:
    """At least as many as asked for, a quarter more at most, and of many a seventh; a beam of 5 stays as it is."""
    found = [rounded(count) for count in range(1, 2000)]
    assert all(count <= one <= count * (5 / 4 if count < 64 else 8 / 7) for count, one in enumerate(found, 1))
    assert len(set(found)) <= 64
    assert found[:7] == list(range(1, 8))


@torch.inference_mode()
def test_matrices_of_an_lstm_are_laid_out_before_the_first_search(
    plain: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two layers from both ends in one number format: four times, and not again for other batches."""
    calls: list[torch.dtype] = []

    def counted(weight: Tensor, recurrent: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        calls.append(dtype)
        return laid_out(weight, recurrent, dtype)

    monkeypatch.setattr(packed, "laid_out", counted)
    optimise_for_inference(plain, "fp32")
    assert calls == [torch.float32] * 4
    for length in (1, 3):
        plain.start(BATCH.source[:, :length], BATCH.source_mask[:, :length])
    assert len(calls) == 4


@pytest.mark.parametrize("precision", FURTHEST)
@torch.inference_mode()
def test_a_translation_that_is_read_at_once_is_as_likely(plain: Model, precision: Format) -> None:
    """Where a decoder's recurrence runs over all positions, from states of several sentences that lie among others."""
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.div_(1.5)
    batch = toy_batch([[4, 6, 7, 8], [4, 9, 10, 5], [5, 6]], [[4, 7, 9, 6], [4, 8], [5, 12, 11, 10, 5]])
    wanted = plain.logits(plain(batch))
    model = deepcopy(plain)
    optimise_for_inference(model, precision)
    with device.autocast(torch.float32 if precision == "fp32" else torch.bfloat16, torch.device("cpu")):
        found = model.logits(model(batch)).float()
    assert float((found - wanted).std() / wanted.std()) <= FURTHEST[precision]
