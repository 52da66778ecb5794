"""The log-probability of every token by itself, for losses that weigh them afterwards."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq.training.criterion import CHUNK, Gradients, number_format


def log_probabilities(
    features: Float[Tensor, "tokens width"],
    weight: Float[Tensor, "vocabulary width"],
    bias: Float[Tensor, " vocabulary"] | None,
    gold: Int[Tensor, " tokens"],
) -> Float[Tensor, " tokens"]:
    """log softmax(features weight^T + bias)[gold] of each token, fp32; products run in autocast's number format.

    As in criterion.py the logits of a batch never stand in memory: they are computed chunk by chunk, and once more when
    the gradient is known.
    """
    dtype = number_format(features, weight)
    with torch.autocast(features.device.type, enabled=False):
        result: Tensor = _LogProbabilities.apply(features, weight, bias, gold, dtype)  # type: ignore[no-untyped-call]
    return result


class _LogProbabilities(torch.autograd.Function):
    """The gradient of a token's log-probability with respect to its logits is `[gold] - p`."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        gold: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        ctx.save_for_backward(features, weight, bias, gold)  # type: ignore[arg-type]
        ctx.dtype = dtype  # type: ignore[attr-defined]
        result = [features.new_zeros(0, dtype=torch.float32)]
        for logits, words, _ in _chunks(features, weight, bias, gold, dtype):
            chosen = logits.gather(1, words[:, None])[:, 0].float()
            result.append(chosen - logits.float().logsumexp(1))
        return torch.cat(result)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *scales: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, bias, gold = ctx.saved_tensors  # type: ignore[attr-defined]
        dtype: torch.dtype = ctx.dtype  # type: ignore[attr-defined]
        total = Gradients(features, weight, bias)
        matrix = weight.to(dtype)
        for logits, words, start in _chunks(features, weight, bias, gold, dtype):
            scale = scales[0][start : start + len(words), None]
            slopes = logits.softmax(1, dtype=torch.float32).mul_(-scale)
            slopes.scatter_add_(1, words[:, None], scale)
            total.add(start, features[start : start + len(words)].to(dtype), slopes.to(dtype), matrix)
        gradients = total.tensors()
        return gradients[0], gradients[1], gradients[2] if bias is not None else None, None, None


def _chunks(
    features: Tensor, weight: Tensor, bias: Tensor | None, gold: Tensor, dtype: torch.dtype
) -> Iterator[tuple[Tensor, Tensor, int]]:
    """The logits of some tokens after the other, which words they are, and the place of the first."""
    matrix = weight.to(dtype)
    for start in range(0, len(gold), rows := max(1, CHUNK // len(weight))):
        part = features[start : start + rows].to(dtype)
        logits = part @ matrix.T if bias is None else torch.addmm(bias.to(dtype), part, matrix.T)
        yield logits, gold[start : start + rows], start
