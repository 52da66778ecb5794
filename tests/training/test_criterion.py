"""The chunked loss is the plain loss: same value, same gradients, whatever the chunk."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from seq2seq.errors import ConfigError
from seq2seq.training import criterion as module
from seq2seq.training.criterion import Criterion, Loss

TOKENS, WIDTH, VOCABULARY = 23, 7, 31


def example(sharp: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    features = torch.randn(TOKENS, WIDTH, generator=random).requires_grad_()
    weight = (sharp * torch.randn(VOCABULARY, WIDTH, generator=random)).requires_grad_()
    bias = torch.randn(VOCABULARY, generator=random).requires_grad_()
    return features, weight, bias, torch.randint(VOCABULARY, (TOKENS,), generator=random)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("chunk", [1, 5 * VOCABULARY, 10**9])
@pytest.mark.parametrize("sharp", [0.1, 30.0])
def test_equals_cross_entropy(
    monkeypatch: pytest.MonkeyPatch, smoothing: float, with_bias: bool, chunk: int, sharp: float
) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    features, weight, bias, gold = example(sharp)
    leaves = (features, weight, bias) if with_bias else (features, weight)
    loss = Criterion(smoothing)(features, weight, bias if with_bias else None, gold)
    logits = functional.linear(features, weight, bias if with_bias else None)
    expected = functional.cross_entropy(logits, gold, label_smoothing=smoothing, reduction="sum")
    torch.testing.assert_close(loss.smoothed, expected)
    torch.testing.assert_close(loss.nll, functional.cross_entropy(logits, gold, reduction="sum"))
    assert loss.correct == (logits.argmax(1) == gold).sum() and loss.tokens == TOKENS
    ours = torch.autograd.grad(loss.smoothed / 7, leaves)
    for got, wanted in zip(ours, torch.autograd.grad(expected / 7, leaves), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_two_halves_equal_the_whole() -> None:
    features, weight, bias, gold = example()
    criterion = Criterion(0.1)
    whole = criterion(features, weight, bias, gold)
    halves = [criterion(features[part], weight, bias, gold[part]) for part in (slice(0, 9), slice(9, None))]
    for field in ("smoothed", "nll", "correct", "tokens"):
        torch.testing.assert_close(sum(getattr(half, field) for half in halves), getattr(whole, field))


def test_without_gradients_the_value_is_the_same() -> None:
    features, weight, bias, gold = example()
    with torch.no_grad():
        silent = Criterion(0.1)(features, weight, bias, gold)
    assert not silent.smoothed.requires_grad
    torch.testing.assert_close(silent.smoothed, Criterion(0.1)(features, weight, bias, gold).smoothed.detach())


def test_bf16_stays_close_to_fp32() -> None:
    features, weight, bias, gold = example()
    exact = Criterion(0.1)(features, weight, bias, gold)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = Criterion(0.1)(features, weight, bias, gold)
    assert rounded.smoothed.dtype == torch.float32
    assert not torch.equal(rounded.smoothed, exact.smoothed)
    torch.testing.assert_close(rounded.smoothed, exact.smoothed, rtol=1e-2, atol=0.0)
    for loss_gradients in zip(gradients(rounded, features, weight), gradients(exact, features, weight), strict=True):
        difference = torch.linalg.vector_norm(loss_gradients[0] - loss_gradients[1])
        assert difference < 0.02 * torch.linalg.vector_norm(loss_gradients[1])


@pytest.mark.parametrize("margin", [5.0, 7.0, 9.0])
def test_bf16_logits_lose_no_loss_where_the_network_is_nearly_sure(margin: float) -> None:
    """A gold word of probability 0.998 and more: its loss and its gradient are those of fp32, not 0."""
    logits = torch.zeros(1, 8)
    logits[0, 3] = margin  # exact in bf16
    exact = logits.double().log_softmax(1)[0, 3]
    sums, correct, probabilities = module._consume(logits.bfloat16(), torch.tensor([3]))
    assert float(sums[0] - sums[1]) == pytest.approx(-float(exact), rel=1e-3) and int(correct) == 1
    assert float(1 - probabilities[0, 3]) == pytest.approx(1 - float(exact.exp()), rel=1e-3)


def gradients(loss: Loss, *leaves: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss.smoothed, leaves)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_impossible_smoothing_is_refused(smoothing: float) -> None:
    with pytest.raises(ConfigError, match="smoothing: expected"):
        Criterion(smoothing)
