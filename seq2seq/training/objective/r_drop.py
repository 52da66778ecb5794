"""R-Drop (Liang et al. 2021): two passes with other dropout should say the same."""

import math

import torch
from torch import Tensor

from seq2seq.data.loader.batch import Batch, predicted
from seq2seq.errors import ConfigError
from seq2seq.training.criterion import Criterion, Gradients, Loss, number_format
from seq2seq.training.objective.base import repeated, several_passes
from seq2seq.training.trainable import Trainable

CHUNK = 2**20  # logits of both passes in memory at once, 4 MB in fp32


class RDrop:
    """Cross-entropy of two passes, and the divergence of their distributions p and q (Liang et al. 2021, equation 4).

        loss = 1/2 (CE(p) + CE(q)) + alpha/2 * 1/2 (KL(p || q) + KL(q || p))

    summed over tokens: half of the paper's, so that learning rates keep their meaning. CE has the criterion's label
    smoothing; nll and correct tokens are the means of both passes. Gradients flow through both sides of each KL. It
    costs a second pass through the network and the output layer. Raises ConfigError.
    """

    def __init__(self, alpha: float) -> None:
        if not 0 <= alpha < math.inf:
            raise ConfigError(f"objective.alpha: expected a number of at least 0, got {alpha}")
        self.alpha = alpha

    def __call__(self, network: Trainable, batch: Batch, criterion: Criterion, update: int) -> Loss:
        """Raises ConfigError for running text, which cannot be read twice."""
        several_passes(network, "r_drop")
        passes = network(repeated(batch, 2))
        pairs = (
            passes.reshape(2, -1, passes.shape[-1]).transpose(0, 1).flatten(0, 1)
        )  # both passes of a token side by side
        weight, bias, gold = network.output_weight, network.output_bias, predicted(batch)
        dtype = number_format(pairs, weight)
        trained = pairs.requires_grad or weight.requires_grad or bias.requires_grad  # some may be frozen
        gradients = trained and torch.is_grad_enabled()
        with torch.autocast(pairs.device.type, enabled=False):
            smoothed, plain, correct = _PairedLoss.apply(
                pairs, weight, bias, gold, criterion.smoothing, self.alpha, dtype, gradients
            )  # type: ignore[no-untyped-call]
        return Loss(smoothed, plain, correct, len(gold))


class _PairedLoss(torch.autograd.Function):
    """Loss and gradients of one chunk of tokens after the other, both in the forward pass; see criterion.py.

    With d = log p - log q, the gradient of KL(p || q) + KL(q || p) with respect to p's logits is
    p (d - KL(p || q)) + p - q; the same with p and q exchanged for those of q.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        pairs: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        gold: Tensor,
        smoothing: float,
        alpha: float,
        dtype: torch.dtype,
        gradients: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        vocabulary = len(weight)
        matrix, inputs = weight.to(dtype), pairs.to(dtype)
        total = Gradients(pairs, weight, bias) if gradients else None
        sums = pairs.new_zeros(3, dtype=torch.float32)  # of -log p[gold], of mean -log p, of both KLs
        correct = gold.new_zeros(())
        for start in range(0, len(gold), rows := max(1, CHUNK // (2 * vocabulary))):
            part, words = inputs[2 * start : 2 * (start + rows)], gold[start : start + rows]
            logits = part @ matrix.T if bias is None else torch.addmm(bias.to(dtype), part, matrix.T)
            likely = logits.view(-1, 2, vocabulary).log_softmax(-1, dtype=torch.float32)
            result, slopes = _compared(likely, words, smoothing, alpha, gradients)
            sums += result
            correct += (likely.amax(-1) == likely.gather(-1, _places(words)).squeeze(-1)).sum()
            if total is not None:
                total.add(2 * start, part, slopes.flatten(0, 1).to(dtype), matrix)
        if total is not None:
            uniform = weight.sum(0, dtype=torch.float32)
            total.subtract_uniform(pairs, uniform, smoothing / (2 * vocabulary))
            ctx.save_for_backward(*total.tensors())
        plain = sums[0] / 2
        smoothed = (1 - smoothing) * plain + smoothing * sums[1] / 2 + alpha / 4 * sums[2]
        half = correct.div(2, rounding_mode="floor")
        ctx.mark_non_differentiable(plain, half)
        return smoothed, plain, half

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, scale: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        pairs, weight, *bias = (gradient * scale for gradient in ctx.saved_tensors)  # type: ignore[attr-defined]
        return pairs, weight, bias[0] if bias else None, None, None, None, None, None


def _compared(likely: Tensor, words: Tensor, smoothing: float, alpha: float, gradients: bool) -> tuple[Tensor, Tensor]:
    """A chunk's three sums, and the gradient with respect to its logits `[tokens, 2, vocabulary]`, but for the uniform
    term. `likely` holds the log-probabilities of both passes."""
    probabilities = likely.exp()
    apart = likely[:, :1] - likely[:, 1:]
    apart = torch.cat((apart, -apart), 1)  # log p - log q, log q - log p
    divergence = (probabilities * apart).sum(-1, keepdim=True)  # KL(p || q), KL(q || p)
    gold = likely.gather(-1, _places(words))
    sums = torch.stack((-gold.sum(), -likely.mean(-1).sum(), divergence.sum()))
    if not gradients:
        return sums, likely
    slopes = apart.sub_(divergence).add_(1).mul_(probabilities).sub_(probabilities.flip(1)).mul_(alpha / 4)
    slopes.add_(probabilities, alpha=0.5)
    slopes.scatter_add_(-1, _places(words), torch.full_like(gold, (smoothing - 1) / 2))
    return sums, slopes


def _places(words: Tensor) -> Tensor:
    """`[tokens, 2, 1]`: the gold words, once a pass."""
    return words[:, None, None].expand(-1, 2, 1)
