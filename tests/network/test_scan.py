"""Laws of the linear recurrence: both of its forms are the loop that defines it."""

import pytest
import torch
from torch import Tensor

from seq2seq.network.scan import double, scan, walk

BATCH, SIZE = 3, 4
Factors = tuple[Tensor, Tensor, Tensor]
forms = pytest.mark.parametrize("form", ["walk", "double"])


def factors(time: int, dtype: torch.dtype = torch.float64) -> Factors:
    """Gates near 1 as well as near 0, so that both the far and the near past count."""
    torch.manual_seed(time)
    keep = torch.sigmoid(4 * torch.randn(BATCH, time, SIZE, dtype=torch.float64))
    write, start = torch.randn_like(keep), torch.randn(BATCH, SIZE, dtype=torch.float64)
    return keep.to(dtype), write.to(dtype), start.to(dtype)


def sequential(keep: Tensor, write: Tensor, start: Tensor) -> Tensor:
    """The definition, in fp64."""
    states = [start.double()]
    for time in range(keep.shape[1]):
        states.append(keep[:, time].double() * states[-1] + write[:, time].double())
    return torch.stack(states[1:], dim=1)


@pytest.mark.parametrize("time", [1, 2, 7, 1000])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_both_forms_equal_the_definition(time: int, dtype: torch.dtype) -> None:
    """Factors in bf16 are summed in fp32, so even then only the last bits of fp32 differ."""
    keep, write, start = factors(time, dtype)
    expected = sequential(keep, write, start)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    states = scan(keep, write, start)
    assert states.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    wide = [tensor.to(states.dtype) for tensor in (keep, write, start)]
    for found in (states, walk(*wide, backwards=False), double(*wide, backwards=False)):
        torch.testing.assert_close(found.double(), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("time", [1, 2, 1000])
def test_backwards_is_the_turned_sequence(time: int) -> None:
    keep, write, start = factors(time)
    expected = sequential(keep.flip(1), write.flip(1), start).flip(1)
    for form in (walk, double):
        torch.testing.assert_close(form(keep, write, start, backwards=True), expected)
        written = write.clone()
        assert form(keep, written, start, backwards=True, states=written) is written
        torch.testing.assert_close(written, expected)


@forms
@pytest.mark.parametrize("time", [1, 2, 5])
def test_gradients_equal_numerical_ones(form: str, time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.network.scan.walk", {"walk": walk, "double": double}[form])  # what a CPU runs
    assert torch.autograd.gradcheck(scan, [tensor.requires_grad_() for tensor in factors(time)])


@forms
def test_long_gradients_equal_those_of_the_definition(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seq2seq.network.scan.walk", {"walk": walk, "double": double}[form])
    gradients = []
    for function in (scan, sequential):
        inputs = [tensor.requires_grad_() for tensor in factors(1000)]
        states = function(*inputs)
        gradients.append(torch.autograd.grad((states * torch.sin(states)).sum(), inputs))
    torch.testing.assert_close(*gradients)


def test_two_halves_with_carried_state_equal_the_whole() -> None:
    keep, write, start = factors(9)
    first = scan(keep[:, :4], write[:, :4], start)
    second = scan(keep[:, 4:], write[:, 4:], first[:, -1])
    torch.testing.assert_close(torch.cat([first, second], dim=1), scan(keep, write, start))
