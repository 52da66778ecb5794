"""The law of choosing among the continuations of all hypotheses of a sentence."""

import pytest
import torch

from seq2seq.search.base import IMPOSSIBLE, top_k_sums


@pytest.mark.parametrize("beam", [1, 5])
@pytest.mark.parametrize("vocabulary", [3, 64, 130, 640, 1000])
@pytest.mark.parametrize("count", [1, 5, 12])
def test_the_highest_sums_are_found_whatever_the_size(vocabulary: int, beam: int, count: int) -> None:
    """Also where much is impossible, and where one hypothesis has the best of all continuations."""
    torch.manual_seed(vocabulary + count)
    scores = torch.randn(4, beam, vocabulary)
    scores[torch.rand_like(scores) < 0.3] = IMPOSSIBLE
    before = torch.tensor([0.0, 1.0, 20.0, 0.1]).unsqueeze(1) * torch.randn(4, beam)
    sums = (before.unsqueeze(-1) + scores).flatten(1)
    values, parents, tokens = top_k_sums(before, scores, count)
    wanted = sums.topk(min(count, sums.shape[1]))
    assert torch.equal(values, wanted.values)
    possible = values > IMPOSSIBLE
    assert torch.equal((parents * vocabulary + tokens)[possible], wanted.indices[possible])
