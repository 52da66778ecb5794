"""Real-gated linear recurrent unit (De et al. 2024: Griffin)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.errors import ConfigError
from seq2seq.network.cell.initial import gate_bias, input_matrix
from seq2seq.network.cell.scanned import Scanned, Sums

POWER = 8.0  # the paper's c
SMALLEST = 1e-12  # of 1 - a^2, whose root has no gradient at 0


class RGLRU(Scanned):
    """Real-gated linear recurrent unit: each feature decays at its own rate, which a gate slows down.

        r  = sigmoid(W_r x + b_r)
        i  = sigmoid(W_i x + b_i)
        a  = sigmoid(l) ^ (8 r)
        h' = a * h + sqrt(1 - a^2) * (i * x)

    (section 2.4; l is the paper's Lambda). The x of the last line is W_x x + b_x, the linear layer before the
    recurrence in Griffin's block. Gates are full matrices, the paper's are block-diagonal. l starts so that the decay
    sigmoid(l)^8 for r = 1 is between `shortest` and `longest`, spread over the features: the paper's 0.9 to 0.999 suits
    documents, sentences need faster decay. Powers are computed as exponentials, in fp32. State: `h`. Gate order: r, i,
    x.
    """

    def __init__(self, input_size: int, hidden_size: int, shortest: float, longest: float) -> None:
        super().__init__(input_size, hidden_size)
        if not 0 < shortest <= longest < 1:
            raise ConfigError(
                f"cell.shortest, cell.longest: expected 0 < shortest <= longest < 1, got {shortest} and {longest}"
            )
        self.weight = input_matrix(3, hidden_size, input_size)
        self.bias = gate_bias(0.0, 0.0, 0.0, size=hidden_size)
        keep = torch.empty(hidden_size).uniform_(shortest, longest) ** (1 / POWER)
        self.decay = nn.Parameter(torch.logit(keep))

    def coefficients(self, sums: Sums) -> tuple[Float[Tensor, "*shape hidden"], Float[Tensor, "*shape hidden"]]:
        gate, update, value = sums
        log_keep = POWER * F.logsigmoid(self.decay) * torch.sigmoid(gate)
        size = torch.sqrt(-torch.expm1(2 * log_keep).clamp(max=-SMALLEST))  # sqrt(1 - a^2) without cancellation
        return torch.exp(log_keep), size * torch.sigmoid(update) * value
