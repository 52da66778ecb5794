"""What a training will need, before it is begun: rough figures, meant to be right within a factor of two."""

from typing import NamedTuple

from seq2seq.errors import ConfigError

PAIRS_PER_SECOND = 20_000  # of cleaning, tokenising and writing on one machine
SAVED = (
    24  # floats of a block that the backward pass needs, in widths a position: gates, cells, norms, masks, feed-forward
)
MAPS = 4  # copies of an attention's weights: scores, weights, dropped weights and their gradient


class TrainingPlan(NamedTuple):
    """The training to be estimated. max_tokens: of a batch. max_length: pieces a side. epochs: passes.

    tokens_per_second: target tokens a second. width, layers, heads: of the model, layers on each side.
    """

    max_tokens: int
    max_length: int
    epochs: float
    tokens_per_second: float
    width: int
    layers: int
    heads: int
    vocabulary: int

    def check(self) -> None:
        """Raises ConfigError for a value that is not above zero."""
        for name, value in self._asdict().items():
            if value <= 0:
                raise ConfigError(f"doctor.{name}: expected a number above 0, got {value}")


def weights_memory(plan: TrainingPlan) -> int:
    """Bytes of weights, gradients and Adam's two moments in fp32, for a tied vocabulary."""
    weights = plan.vocabulary * plan.width + 2 * plan.layers * 16 * plan.width**2
    return 4 * 4 * weights


def batch_memory(plan: TrainingPlan, longest: int) -> int:
    """Bytes that the activations of the worst batch need in fp32: as many rows as fit of the longest pair's length."""
    rows = max(1, plan.max_tokens // (longest + 1))
    positions = rows * (longest + 2)
    activations = 2 * positions * plan.layers * SAVED * plan.width
    attention = MAPS * plan.layers * plan.heads * positions * (longest + 2)
    return 4 * (activations + attention)


def disk(pairs: int, text_bytes: int, tokens: int, vocabulary: int) -> int:
    """Bytes of the prepared stores: text, 16-bit ids (32 above 65,536) and the fixed columns."""
    return text_bytes + tokens * (2 if vocabulary <= 1 << 16 else 4) + pairs * 28


def seconds(pairs: int, target_tokens: int, plan: TrainingPlan) -> tuple[float, float]:
    """Seconds of preparing, and of `epochs` passes of training."""
    return pairs / PAIRS_PER_SECOND, plan.epochs * target_tokens / plan.tokens_per_second
