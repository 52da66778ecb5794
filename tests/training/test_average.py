"""Averages of weights."""

import pytest
import torch
from torch.nn import Parameter

from seq2seq.training.update import ExponentialAverage, mean_weights, swapped_weights


def test_moving_average_follows_its_recursion() -> None:
    weight = Parameter(torch.zeros(3, dtype=torch.float64))
    average = ExponentialAverage(0.6, {"weight": weight})
    expected = torch.zeros(3, dtype=torch.float64)
    for update in range(1, 30):
        weight.data = torch.full((3,), float(update), dtype=torch.float64)
        decay = min(0.6, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * weight.data
        average.add(update)
    torch.testing.assert_close(average.weights["weight"], expected)
    assert not torch.equal(expected, weight.data)


def test_mean_of_one_set_is_that_set_and_order_does_not_matter() -> None:
    sets = [{"weight": torch.randn(5), "bias": torch.randn(2)} for _ in range(4)]
    torch.testing.assert_close(mean_weights(sets[:1]), sets[0], rtol=0, atol=0)
    torch.testing.assert_close(mean_weights(sets), mean_weights(reversed(sets)))
    torch.testing.assert_close(mean_weights(sets)["bias"], torch.stack([one["bias"] for one in sets]).mean(0))


def test_mean_leaves_its_sets_alone() -> None:
    sets = [{"weight": torch.ones(5, dtype=torch.float64)}, {"weight": torch.zeros(5, dtype=torch.float64)}]
    mean_weights(sets)
    assert torch.equal(sets[0]["weight"], torch.ones(5, dtype=torch.float64))


def test_lent_weights_are_taken_back_even_after_an_error() -> None:
    weight = Parameter(torch.zeros(2))
    with pytest.raises(KeyboardInterrupt), swapped_weights({"weight": weight}, {"weight": torch.ones(2)}):
        assert torch.equal(weight, torch.ones(2))
        raise KeyboardInterrupt
    assert torch.equal(weight, torch.zeros(2))
