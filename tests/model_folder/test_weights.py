"""Laws of matrices as whole numbers."""

import torch

from seq2seq.model_folder.weights import dequantise, quantise


def test_no_number_is_off_by_more_than_half_a_step_and_the_largest_of_a_row_hardly_at_all() -> None:
    weight = torch.randn(20, 30, generator=torch.Generator().manual_seed(1)) * torch.logspace(-6, 3, 20).unsqueeze(1)
    values, scales = quantise(weight)
    again = dequantise(values, scales)
    assert (again - weight).abs().div(scales.unsqueeze(1)).max() <= 0.5001
    largest = weight.abs().argmax(1, keepdim=True)
    torch.testing.assert_close(again.gather(1, largest), weight.gather(1, largest), rtol=1e-6, atol=0)
    assert int(values.abs().max()) == int(values.abs().amax(1).min()) == 127


def test_quantising_twice_changes_nothing_more_and_zeros_stay_zeros() -> None:
    weight = torch.randn(50, 40, generator=torch.Generator().manual_seed(2)).bfloat16()
    weight[7] = 0
    values, scales = quantise(weight)
    again, scales_again = quantise(dequantise(values, scales))
    assert torch.equal(values, again)
    torch.testing.assert_close(scales, scales_again)
    assert not values[7].any() and torch.isfinite(scales).all()
