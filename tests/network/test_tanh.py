"""tanh by its cheaper road."""

import pytest
import torch

from seq2seq.network.layers import LARGE, tanh

EVERYWHERE = torch.linspace(-20, 20, 2 * LARGE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_it_is_tanh(dtype: torch.dtype) -> None:
    """To 2e-7, and in bf16 to its nearest number or the one beside it."""
    x = EVERYWHERE.to(dtype)
    found, wanted = tanh(x), torch.tanh(x.double())
    assert found.dtype == dtype
    if dtype == torch.float32:
        assert not torch.equal(found, torch.tanh(x)), "the other road was not taken"
    limit = 2e-7 if dtype == torch.float32 else 2**-9 + 2e-7
    assert (found.double() - wanted).abs().max() <= limit
    assert found.abs().max() <= 1


def test_training_sees_torch() -> None:
    """Bit for bit, so that runs of older versions go on as they would have."""
    assert torch.equal(tanh(EVERYWHERE), torch.tanh(EVERYWHERE))
