"""The softmax that all attentions share: fp32, padding gets exactly nothing."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_softmax(
    scores: Float[Tensor, "*heads target source"], mask: Bool[Tensor, "..."]
) -> Float[Tensor, "*heads target source"]:
    """Weights over the last axis in fp32. A finite stand-in for minus infinity keeps an all-padding row finite."""
    scores = scores.float().masked_fill(~mask, torch.finfo(torch.float32).min)
    return torch.softmax(scores, dim=-1)
