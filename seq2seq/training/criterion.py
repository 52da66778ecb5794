"""Label-smoothed cross-entropy that never holds the logits of a whole batch."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from seq2seq.errors import ConfigError

CHUNK = 2**22  # logits in memory at once: 16 MB of probabilities, about a processor's cache


class Loss(NamedTuple):
    """Sums over the tokens of a batch, in nats; `smoothed` is the one to call `backward` on.

    `correct` counts the tokens whose word had the highest logit; a tie counts as correct.
    """

    smoothed: Float[Tensor, ""]
    nll: Float[Tensor, ""]
    correct: Int[Tensor, ""]
    tokens: int


class Criterion:
    """Cross-entropy with label smoothing (Szegedy et al. 2016, section 7), summed over tokens.

        p         = softmax(features weight^T + bias)
        plain     = -log p[gold]
        smoothed  = (1 - smoothing) plain - smoothing / vocabulary * sum over words of log p

    The same value and gradients as `torch.nn.functional.cross_entropy(..., label_smoothing=smoothing, reduction="sum")`
    without its copies. Raises ConfigError when `smoothing` is not in [0, 1).
    """

    def __init__(self, smoothing: float) -> None:
        if not 0 <= smoothing < 1:
            raise ConfigError(f"smoothing: expected a number from 0 up to, but not including, 1, got {smoothing}")
        self.smoothing = smoothing

    def __call__(
        self,
        features: Float[Tensor, "tokens width"],
        weight: Float[Tensor, "vocabulary width"],
        bias: Float[Tensor, " vocabulary"] | None,
        gold: Int[Tensor, " tokens"],
    ) -> Loss:
        """The loss of `gold` under softmax(features weight^T + bias); the products run in autocast's number format."""
        dtype = number_format(features, weight)
        trained = any(one is not None and one.requires_grad for one in (features, weight, bias))  # some may be frozen
        gradients = trained and torch.is_grad_enabled()
        with torch.autocast(features.device.type, enabled=False):
            smoothed, plain, correct = _ChunkedLoss.apply(
                features, weight, bias, gold, self.smoothing, dtype, gradients
            )  # type: ignore[no-untyped-call]
        return Loss(smoothed, plain, correct, len(gold))


def number_format(features: Tensor, weight: Tensor) -> torch.dtype:
    """What the products of the output layer run in: autocast's format where it is on, else the weights'."""
    device = features.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype


class _ChunkedLoss(torch.autograd.Function):
    """Loss and gradients of one chunk of tokens after the other, both in the forward pass.

    The gradient with respect to the logits is `p - (1 - smoothing) [gold] - smoothing / vocabulary`. Its last term is
    the same for all words, so it meets features and weight as sums (`uniform`), not as a pass over the logits.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        gold: Tensor,
        smoothing: float,
        dtype: torch.dtype,
        gradients: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        vocabulary = len(weight)
        matrix, inputs = weight.to(dtype), features.to(dtype)
        uniform = weight.sum(0, dtype=torch.float32)
        total = Gradients(features, weight, bias) if gradients else None
        sums = features.new_zeros(2, dtype=torch.float32)  # of the log normalisers, of the gold words' logits
        correct = gold.new_zeros(())
        for start in range(0, len(gold), rows := max(1, CHUNK // vocabulary)):
            part, words = inputs[start : start + rows], gold[start : start + rows]
            logits = F.linear(part, matrix, None if bias is None else bias.to(dtype))
            chunk_sums, chunk_correct, probabilities = _consume(logits, words)
            sums += chunk_sums
            correct += chunk_correct
            if total is not None:
                # by flat place: on a CPU, scatter_ copies the whole chunk and costs more than the softmax
                places = words + vocabulary * torch.arange(len(words), device=words.device)
                probabilities.view(-1).index_add_(0, places, probabilities.new_full((len(words),), smoothing - 1))
                total.add(start, part, probabilities.to(dtype), matrix)
        logit_sum = (features.float() @ uniform).sum() + (0.0 if bias is None else len(gold) * bias.float().sum())
        plain = sums[0] - sums[1]
        smoothed = (1 - smoothing) * plain + smoothing * (sums[0] - logit_sum / vocabulary)
        if total is not None:
            total.subtract_uniform(features, uniform, smoothing / vocabulary)
            ctx.save_for_backward(*total.tensors())
        ctx.mark_non_differentiable(plain, correct)
        return smoothed, plain, correct

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, scale: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, *bias = (gradient * scale for gradient in ctx.saved_tensors)  # type: ignore[attr-defined]
        return features, weight, bias[0] if bias else None, None, None, None, None


def _consume(logits: Tensor, words: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Turn a chunk's logits into probabilities, in fp32 (in place where they are); also its two sums and how often
    `words` came first.

    In bf16 every probability above 0.998 would be 1: no loss and no gradient for what is not yet certain.
    """
    best = logits.amax(1)
    chosen = logits.gather(1, words[:, None])[:, 0]
    single = logits.dtype == torch.float32
    probabilities = torch.softmax(logits, 1, out=logits) if single else torch.softmax(logits, 1, dtype=torch.float32)
    # log of the normaliser = highest logit - its log-probability, and that probability is the highest one
    log_sum = best.float() - probabilities.amax(1).log()
    return torch.stack((log_sum.sum(), chosen.float().sum())), (chosen == best).sum(), probabilities


class Gradients:
    """The gradients of the summed loss, gathered chunk by chunk in fp32."""

    def __init__(self, features: Tensor, weight: Tensor, bias: Tensor | None) -> None:
        self.features = torch.empty_like(features)
        self.weight = torch.zeros_like(weight)
        self.bias = None if bias is None else torch.zeros_like(bias)

    def add(self, start: int, part: Tensor, difference: Tensor, matrix: Tensor) -> None:
        """`difference` is the loss's gradient with respect to the chunk's logits, but for the uniform term."""
        self.features[start : start + len(part)] = difference @ matrix
        self.weight += difference.T @ part
        if self.bias is not None:
            self.bias += difference.sum(0)  # summed in fp32; with dtype=fp32 torch first copies the whole chunk

    def subtract_uniform(self, features: Tensor, uniform: Tensor, share: float) -> None:
        """Take the uniform term off: `share` for every word of every token."""
        self.features -= share * uniform
        self.weight -= share * features.sum(0, dtype=torch.float32)
        if self.bias is not None:
            self.bias -= share * len(features)

    def tensors(self) -> list[Tensor]:
        """Features, weight and, where there is one, bias."""
        return [gradient for gradient in (self.features, self.weight, self.bias) if gradient is not None]


def log_probabilities(
    features: Float[Tensor, "tokens width"],
    weight: Float[Tensor, "vocabulary width"],
    bias: Float[Tensor, " vocabulary"] | None,
    gold: Int[Tensor, " tokens"],
) -> Float[Tensor, " tokens"]:
    """log softmax(features weight^T + bias)[gold] of each token, fp32; products run in autocast's number format.

    The logits of a batch are never in memory at once: they are computed in chunks, and again for the gradient.
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
