"""Real-gated linear recurrent unit (De et al. 2024: Griffin)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from seq2seq.errors import ConfigError
from seq2seq.network.cell.initial import gate_bias, input_matrix
from seq2seq.network.cell.scanned import Scanned

POWER = 8.0  # the paper's c
SMALLEST = 1e-12  # of 1 - a^2, whose root has no gradient at 0


class RGLRU(Scanned):
    """A leaky memory: each feature forgets at its own rate, which a gate slows down.

        r  = sigmoid(W_r x + b_r)
        i  = sigmoid(W_i x + b_i)
        a  = sigmoid(l) ^ (8 r)
        h' = a * h + sqrt(1 - a^2) * (i * x)

    (section 2.4; l is the paper's Lambda). x becomes W_x x + b_x where sizes differ. Gates are full matrices here, the
    paper's are block-diagonal. l starts so that sigmoid(l)^8, the memory of an open gate, lies between `shortest` and
    `longest`, spread over the features. Powers are computed as exponentials, in fp32. State: `h`. Gates lie in the
    order r, i, x.
    """

    def __init__(self, input_size: int, hidden_size: int, shortest: float, longest: float) -> None:
        super().__init__(input_size, hidden_size)
        if not 0 < shortest <= longest < 1:
            raise ConfigError(
                f"cell.shortest, cell.longest: expected 0 < shortest <= longest < 1, got {shortest} and {longest}"
            )
        own = input_size != hidden_size
        self.weight = input_matrix(2 + own, hidden_size, input_size)
        self.bias = gate_bias(*[0.0] * (2 + own), size=hidden_size)
        keep = torch.empty(hidden_size).uniform_(shortest, longest) ** (1 / POWER)
        self.decay = nn.Parameter(torch.logit(keep))

    def project(self, x: Float[Tensor, "*shape input"]) -> Float[Tensor, "*shape gates"]:
        projected = super().project(x)
        if self.input_size != self.hidden_size:
            return projected
        return torch.cat([projected, x.to(projected.dtype)], dim=-1)

    def coefficients(
        self, projected: Float[Tensor, "*shape gates"]
    ) -> tuple[Float[Tensor, "*shape hidden"], Float[Tensor, "*shape hidden"]]:
        gate, update, value = projected.chunk(3, dim=-1)
        log_keep = POWER * F.logsigmoid(self.decay) * torch.sigmoid(gate)
        size = torch.sqrt(-torch.expm1(2 * log_keep).clamp(max=-SMALLEST))  # sqrt(1 - a^2) without cancellation
        return torch.exp(log_keep), size * torch.sigmoid(update) * value
