"""One hypothesis a sentence, each token chosen for good: what greedy search and sampling share."""

from collections.abc import Callable

import torch
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.network.state import Start, Step, select
from seq2seq.search.base import Hypothesis, Request, hypotheses, kept_rows
from seq2seq.search.constraints import Limits
from seq2seq.special_tokens import EOS


def autoregressive(
    start: Start, step: Step, request: Request, limits: Limits, choose: Callable[[Tensor, Tensor, int], Tensor]
) -> list[list[Hypothesis]]:
    """Every sentence's hypothesis; finished sentences leave the batch.

    `choose(scores [open, vocabulary], rows [open], length)` is given the log-probabilities of the next token, -inf for
    what must not come, which sentences these are, and how many tokens there will be; it returns ids `[open]`.
    A hypothesis is normalised by its length: nats per token, EOS included. Raises ConfigError where ending has a price,
    which only counts where hypotheses are compared.
    """
    if request.ending is not None:
        raise ConfigError(
            "coverage_penalty: this search compares no hypotheses: set search=beam, or coverage_penalty=0"
        )
    memory, state = start(request.source, request.mask)
    first = request.first
    rows = torch.arange(len(first), device=first.device)
    tokens = torch.full((len(first), int(limits.longest.max())), EOS, dtype=torch.long, device=first.device)
    scores = torch.zeros(len(first), device=first.device)
    finished = torch.zeros(len(first), dtype=torch.bool, device=first.device)
    previous = first.long()
    for length in range(1, tokens.shape[1] + 1):
        likely, state = step(previous.unsqueeze(1), state, memory)
        limits.apply(likely, length, lambda: tokens[rows, : length - 1].unsqueeze(1))  # noqa: B023 (called at once)
        likely = likely.squeeze(1)
        previous = choose(likely, rows, length)
        scores[rows] += likely.gather(1, previous.unsqueeze(1)).squeeze(1)
        tokens[rows, length - 1] = previous
        finished[rows] = previous == EOS
        keep = kept_rows((previous != EOS) & (limits.longest > length))
        if len(keep) == 0:
            break
        if len(keep) < len(rows):
            rows, previous, limits = rows[keep], previous[keep], limits.pick(keep)
            state, memory = select(state, keep), select(memory, keep)
    lengths = (tokens != EOS).sum(1) + finished
    columns = (tokens, scores, scores / lengths, finished)
    return hypotheses(*(column.unsqueeze(1) for column in columns))
