"""Minimum-risk training (Shen et al. 2016): translations that score well become more probable than others."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from seq2seq import special_tokens as symbols
from seq2seq.data.loader.batch import Batch, predicted
from seq2seq.data.loader.shuffle import uniform
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.network.state import Start, State, Step, map_state
from seq2seq.training.criterion import Criterion, Loss, log_probabilities
from seq2seq.training.objective.base import Generating, several_passes
from seq2seq.training.trainable import Trainable

Metric = Callable[[Sequence[str], str, str], list[float]]  # hypotheses, their reference, its language: 0 to 100 each


@runtime_checkable
class Drawn(Protocol):
    """A hypothesis: ids without tag and EOS, and whether EOS ended it."""

    @property
    def tokens(self) -> list[int]: ...

    @property
    def finished(self) -> bool: ...


@runtime_checkable
class AncestralSampling(Protocol):
    """Ancestral sampling."""

    def draw(
        self,
        start: Start,
        step: Step,
        source: Tensor,
        source_mask: Tensor,
        first: Tensor,
        forbidden: Tensor,
        keys: Tensor,
        /,
    ) -> Sequence[Sequence[Drawn]]:
        """One hypothesis a row; `keys` distinguish draws of the same source."""
        ...


class MinimumRisk:
    """The expected cost of the model's translations, over a sample of them (Shen et al. 2016, equations 11 to 13).

        Q(y | x) = p(y | x)^sharpness / sum over y' in S(x) of p(y' | x)^sharpness
        risk     = sum over y in S(x) of Q(y | x) cost(y),         cost(y) = 1 - score(y, reference) / 100
        loss     = (1 - weight) likelihood + weight * sum over sentences of (risk * tokens of the reference)

    S(x): `candidates` translations drawn by `search` from the model, without dropout; with `reference` the reference
    too; duplicates removed. They depend on (search.seed, update, pair) only. The risk is weighted by the reference's
    tokens (EOS too), as in likelihood, so that both are means over tokens (mixed as in Edunov et al. 2018); likelihood
    has the criterion's label smoothing, and is reported. A candidate's gradient is sharpness * Q(y) (cost(y) - risk)
    times that of its log-probability: equal costs change nothing.

    It reads `candidates` times as many rows as a batch has, and generates them token by token before: for a model that
    is already trained. Raises ConfigError.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        metric: Metric,
        search: AncestralSampling,
        candidates: int,
        include_reference: bool,
        sharpness: float,
        weight: float,
    ) -> None:
        if candidates < 2 - include_reference:
            raise ConfigError(f"objective.candidates: expected at least {2 - include_reference}, got {candidates}")
        if not sharpness > 0:
            raise ConfigError(f"objective.sharpness: expected a positive number, got {sharpness}")
        if not 0 < weight <= 1:
            raise ConfigError(f"objective.weight: expected a share above 0 and up to 1, got {weight}")
        self.tokenizer, self.metric, self.search = tokenizer, metric, search
        self.candidates, self.include_reference, self.sharpness, self.weight = (
            candidates,
            include_reference,
            sharpness,
            weight,
        )
        self.languages = {tokenizer.tag_id(language): language for language in tokenizer.languages}

    def __call__(self, network: Trainable, batch: Batch, criterion: Criterion, update: int) -> Loss:
        several_passes(network, "minimum_risk")
        if not isinstance(network, Generating):
            raise ConfigError("objective=minimum_risk: this network draws no text; set objective=likelihood")
        likelihood = criterion(network(batch), network.output_weight, network.output_bias, predicted(batch))
        drawn = self.draw(network, batch, update)
        costs = self.costs(drawn, batch)
        risks = self.risks(network, batch, drawn, torch.tensor(costs, device=batch.target.device))
        tokens = batch.target_mask[:, 1:].sum(1)
        smoothed = (1 - self.weight) * likelihood.smoothed + self.weight * (risks * tokens).sum()
        return likelihood._replace(smoothed=smoothed)

    @torch.no_grad()
    def draw(self, network: Generating, batch: Batch, update: int) -> "SampledRows":
        """What S(x) is of every sentence."""
        training = network.training
        network.train(False)
        memory, state = network.start(batch.source, batch.source_mask)
        source, mask = (_times(tensor, self.candidates) for tensor in (batch.source, batch.source_mask))
        numbers = torch.arange(self.candidates).repeat(len(batch.pairs))
        rows = (_times(batch.pairs.cpu(), self.candidates) * self.candidates + numbers).numpy()
        keys = torch.from_numpy((uniform(rows, update, 0, 0) * 2**53).astype(np.int64)).to(source.device)
        result = self.search.draw(
            lambda *_: (_repeated(memory, self.candidates), _repeated(state, self.candidates)),
            network.step,
            source,
            mask,
            _times(batch.target[:, 0], self.candidates),
            torch.tensor(self.tokenizer.never_generated, device=source.device),
            keys,
        )
        network.train(training)
        torch.clear_autocast_cache()  # torch before 2.13 keeps weights cast without gradient for the next pass
        lines = [[*one.tokens, symbols.EOS] if one.finished else one.tokens for [one] in result]
        return self._distinct(lines, _references(batch))

    def _distinct(self, lines: list[list[int]], references: list[list[int]]) -> "SampledRows":
        """Each sentence's lines without duplicates, with its reference if configured."""
        kept: list[list[int]] = []
        owners: list[int] = []
        for number, reference in enumerate(references):
            own = lines[number * self.candidates : (number + 1) * self.candidates]
            distinct = dict.fromkeys(map(tuple, [reference, *own] if self.include_reference else own))
            kept += map(list, distinct)
            owners += [number] * len(distinct)
        return SampledRows(kept, owners)

    def costs(self, drawn: "SampledRows", batch: Batch) -> list[float]:
        """Of each candidate, 0 (the reference) to 1."""
        tags, references = batch.target[:, 0].tolist(), _references(batch)
        result: list[float] = []
        for number, (tag, reference) in enumerate(zip(tags, references, strict=True)):
            language = self.languages[tag]
            own = [line for line, owner in zip(drawn.lines, drawn.owners, strict=True) if owner == number]
            [expected, *texts] = self.tokenizer.decode([reference, *own], language)
            result += [1 - score / 100 for score in self.metric(texts, expected, language)]
        return result

    def risks(
        self, network: Trainable, batch: Batch, drawn: "SampledRows", costs: Float[Tensor, " candidates"]
    ) -> Float[Tensor, " batch"]:
        """Each sentence's expected cost, whose gradient changes the candidates' probabilities."""
        owners = torch.tensor(drawn.owners, device=batch.target.device)
        by_length = torch.tensor([len(line) for line in drawn.lines]).argsort(stable=True)  # half of it were padding
        parts = [_scores(network, drawn.batch(batch, part)) for part in torch.split(by_length, len(batch.target))]
        scores = self.sharpness * torch.cat(parts)[by_length.argsort().to(owners.device)]
        # a softmax over each sentence's own candidates, however many they are
        count = len(batch.target)
        highest = scores.new_full((count,), -torch.inf).scatter_reduce(0, owners, scores.detach(), "amax")
        shares = (scores - highest[owners]).exp()
        sums = shares.new_zeros(count).index_add(0, owners, shares)
        return sums.new_zeros(count).index_add(0, owners, shares * costs) / sums


class SampledRows(NamedTuple):
    """Lines of ids, with EOS where they have one, and which sentence of the batch each belongs to, in order."""

    lines: list[list[int]]
    owners: list[int]

    def batch(self, batch: Batch, numbers: Int[Tensor, " rows"]) -> Batch:
        """A row for each of these candidates: its sentence's source and tag, and its own ids."""
        device = batch.target.device
        lines = [self.lines[number] for number in numbers.tolist()]
        owners = torch.tensor([self.owners[number] for number in numbers.tolist()], device=device)
        longest = max(map(len, lines))
        target = torch.tensor([line + [symbols.PAD] * (longest - len(line)) for line in lines], device=device)
        mask = torch.arange(longest) < torch.tensor([[len(line)] for line in lines])
        target = torch.cat((batch.target[owners, :1], target), 1)
        mask = torch.cat((batch.target_mask[owners, :1], mask.to(device)), 1)
        return Batch(batch.source[owners], batch.source_mask[owners], target, mask, batch.pairs[owners])


def _scores(network: Trainable, rows: Batch) -> Float[Tensor, " rows"]:
    """The log-probability of each row's target."""
    each = log_probabilities(network(rows), network.output_weight, network.output_bias, predicted(rows))
    of_row = torch.arange(len(rows.target), device=each.device).repeat_interleave(rows.target_mask[:, 1:].sum(1))
    return each.new_zeros(len(rows.target)).index_add(0, of_row, each)


def _references(batch: Batch) -> list[list[int]]:
    """The real target ids after the tag, EOS included."""
    return [row[real].tolist() for row, real in zip(batch.target[:, 1:], batch.target_mask[:, 1:], strict=True)]


def _times(tensor: Tensor, count: int) -> Tensor:
    """Every row repeated, its copies side by side."""
    return tensor.repeat_interleave(count, 0)


def _repeated(state: State, count: int) -> State:
    return map_state(lambda tensor: _times(tensor, count), state)
