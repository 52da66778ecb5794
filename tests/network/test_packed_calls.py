"""Packed matrices in every form of call that a user's own part may make: the same numbers as from plain ones."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.network.inference.packed import Float32, Packed, pack

pytestmark = pytest.mark.usefixtures("all_formats")

Call = Callable[[Tensor, Any, Tensor], Tensor]
CALLS: dict[str, Call] = {
    "positions": lambda x, weight, bias: F.linear(x, weight, bias),
    "bias by name": lambda x, weight, bias: F.linear(x, weight, bias=bias),
    "no bias, by name": lambda x, weight, bias: F.linear(x, weight, bias=None) + bias,
    "weight by name": lambda x, weight, bias: F.linear(x, weight=weight, bias=bias),
    "all by name": lambda x, weight, bias: torch.nn.functional.linear(input=x, weight=weight, bias=bias),
    "named in another order": lambda x, weight, bias: F.linear(bias=bias, weight=weight, input=x),
    "one vector": lambda x, weight, bias: F.linear(x[0, 0], weight, bias=bias).expand(2, 3, -1),
    "a matrix as the input": lambda x, weight, bias: F.linear(weight, x[0]).T + bias,
    "matmul": lambda x, weight, bias: torch.matmul(x, weight.T) + bias,
    "addmm": lambda x, weight, bias: torch.addmm(bias, x[0], weight.mT),
    "einsum": lambda x, weight, bias: torch.einsum("bti,oi->bto", x, weight) + bias,
    "a part of it": lambda x, weight, bias: F.linear(x, weight[:4], bias=bias[:4]),
    "bilinear": lambda x, weight, bias: F.bilinear(x, x, weight.unsqueeze(1).expand(-1, 8, -1), bias=bias),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_gives_what_a_plain_matrix_gives(name: str) -> None:
    torch.manual_seed(4)
    weight, bias, x = torch.randn(6, 8), torch.randn(6), torch.randn(2, 3, 8)
    found = CALLS[name](x, Packed.of(weight, Float32(weight)), bias)
    torch.testing.assert_close(found, CALLS[name](x, weight, bias), rtol=1e-4, atol=1e-5)
    assert type(found) is Tensor


LSTMS: dict[str, dict[str, Any]] = {
    "as the toolkit's": {"batch_first": True},
    "time first": {},
    "two layers": {"batch_first": True, "num_layers": 2},
    "from both ends": {"batch_first": True, "bidirectional": True},
    "without biases": {"batch_first": True, "bias": False},
    "two layers without biases": {"batch_first": True, "num_layers": 2, "bias": False},
    "projected": {"batch_first": True, "proj_size": 3},
}


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("name", LSTMS)
@torch.inference_mode()
def test_a_module_of_torch_is_what_it_was(name: str) -> None:
    torch.manual_seed(5)
    plain = nn.LSTM(8, 6, **LSTMS[name]).eval()
    packed = deepcopy(plain)
    pack(packed, Float32)
    x = torch.randn(4, 5, 8)
    torch.testing.assert_close(packed(x), plain(x), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(packed(x[0]), plain(x[0]), rtol=1e-4, atol=1e-5)  # without a batch


@torch.inference_mode()
def test_an_lstm_called_by_name() -> None:
    torch.manual_seed(6)
    weights = [torch.randn(24, 8), torch.randn(24, 6), torch.randn(24), torch.randn(24)]
    packed = [Packed.of(one, Float32(one)) if one.ndim == 2 else one for one in weights]
    x, start = torch.randn(4, 5, 8), [torch.randn(1, 4, 6), torch.randn(1, 4, 6)]

    def called(params: list[Any]) -> Any:
        return torch.lstm(
            input=x, hx=start, params=params, has_biases=True, num_layers=1, dropout=0.0, train=False,
            bidirectional=False, batch_first=True,
        )  # fmt: skip

    torch.testing.assert_close(called(packed), called(weights), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.Embedding, nn.Bilinear])
@torch.inference_mode()
def test_other_modules_of_torch_are_what_they_were(kind: type[nn.Module]) -> None:
    torch.manual_seed(7)
    plain = (kind(8, 8, 6) if kind is nn.Bilinear else kind(8, 6)).eval()
    packed = deepcopy(plain)
    pack(packed, Float32)
    x = torch.arange(4) if kind is nn.Embedding else torch.randn(4, 8)
    given = (x, x) if kind is nn.Bilinear else (x,)
    torch.testing.assert_close(packed(*given), plain(*given), rtol=1e-4, atol=1e-5)
