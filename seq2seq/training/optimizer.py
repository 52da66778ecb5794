"""The optimisers, as settings that make the real thing once there are parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import Parameter

from seq2seq.config.build import call
from seq2seq.errors import ConfigError
from seq2seq.training.trainable import matching_names

Moments = Mapping[str, Mapping[str, Tensor]]  # of each parameter, what an optimiser remembers of it
Groups = Sequence[Mapping[str, object]]


@runtime_checkable
class OptimizerSettings(Protocol):
    """What the trainer needs to know of an optimiser."""

    @property
    def learning_rate(self) -> float:
        """The peak."""
        ...

    def create(self, parameters: Mapping[str, Parameter]) -> torch.optim.Optimizer:
        """The optimiser of those of the named parameters that are trained."""
        ...


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015, algorithm 1). Raises ConfigError for numbers outside their range."""

    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    groups: Groups

    def __post_init__(self) -> None:
        _check(self.learning_rate, self.beta1, self.beta2, self.epsilon)
        for number, group in enumerate(_read(self.groups)):
            if group.weight_decay is not None:
                raise ConfigError(
                    f"optimizer.groups[{number}].weight_decay: adam has none, take optimizer=adamw; expected names and "
                    "learning_rate"
                )

    def create(self, parameters: Mapping[str, Parameter]) -> torch.optim.Optimizer:
        """Fused: one pass over all numbers, on a CPU three times faster than one tensor after the other."""
        groups: list[dict[str, Any]] = [
            {"params": list(members.values()), "factor": group.learning_rate}
            for group, members in _divided(parameters, _read(self.groups))
        ]
        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(groups, lr=self.learning_rate, betas=betas, eps=self.epsilon, fused=True)


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2).

    Matrices decay, vectors (biases, norms) do not, unless their group sets it. Raises ConfigError for values out of
    range.
    """

    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float
    groups: Groups

    def __post_init__(self) -> None:
        _check(self.learning_rate, self.beta1, self.beta2, self.epsilon)
        _check_decay("optimizer.weight_decay", self.weight_decay)
        _read(self.groups)

    def create(self, parameters: Mapping[str, Parameter]) -> torch.optim.Optimizer:
        """Fused; a group of the settings whose decay is the optimiser's own becomes two."""
        groups: list[dict[str, Any]] = []
        for group, members in _divided(parameters, _read(self.groups)):
            for matrices in (True, False):
                chosen = [one for one in members.values() if (one.ndim > 1) == matrices]
                decay = group.weight_decay
                if decay is None:
                    decay = self.weight_decay if matrices else 0.0
                if chosen:
                    groups.append({"params": chosen, "factor": group.learning_rate, "weight_decay": decay})
        betas = (self.beta1, self.beta2)
        return torch.optim.AdamW(groups, lr=self.learning_rate, betas=betas, eps=self.epsilon, fused=True)


@dataclass(frozen=True)
class ResumedOptimizer:
    """An optimiser that begins with what another run's remembers; parameters that are not in `moments` begin anew."""

    settings: OptimizerSettings
    moments: Moments

    @property
    def learning_rate(self) -> float:
        """The peak."""
        return self.settings.learning_rate

    def create(self, parameters: Mapping[str, Parameter]) -> torch.optim.Optimizer:
        optimizer = self.settings.create(parameters)
        for name, parameter in parameters.items():
            if parameter.requires_grad:
                for key, value in self.moments.get(name, {}).items():
                    optimizer.state[parameter][key] = value.to(parameter.device)
        return optimizer


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters with a learning rate or weight decay of their own.

    names: patterns of parameter names. learning_rate: a factor, 0.5 for half of the scheduled rate. weight_decay: null
    for the optimiser's. Raises ConfigError.
    """

    names: list[str]
    learning_rate: float = 1.0  # there is no YAML that could hold the defaults of a group that a user adds
    weight_decay: float | None = None

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ConfigError(f"learning_rate: expected a positive factor (or freeze=[...]), got {self.learning_rate}")
        if self.weight_decay is not None:
            _check_decay("weight_decay", self.weight_decay)


def _read(groups: Groups) -> list[ParameterGroup]:
    """The groups, checked. Raises ConfigError with the key."""
    result = []
    for number, node in enumerate(groups):
        where = f"optimizer.groups[{number}]"
        try:
            result.append(call(ParameterGroup, node, where))
        except ConfigError as error:
            raise (error if where in str(error) else ConfigError(f"{where}.{error}")) from None
    return result


def _divided(
    parameters: Mapping[str, Parameter], groups: Sequence[ParameterGroup]
) -> list[tuple[ParameterGroup, dict[str, Parameter]]]:
    """Every trained parameter in exactly one group, the last being that of all others. Raises ConfigError."""
    owner: dict[str, int] = {}
    for number, group in enumerate(groups):
        for one in matching_names(group.names, parameters, f"optimizer.groups[{number}].names"):
            if one in owner:
                raise ConfigError(
                    f"optimizer.groups: {one} is in group {owner[one]} and in group {number}, expected one group: "
                    "narrow their names"
                )
            owner[one] = number
    trained = {name: one for name, one in parameters.items() if one.requires_grad}
    divided = []
    for number, group in enumerate(groups):
        members = {one: trained[one] for one in trained if owner.get(one) == number}
        if not members:
            raise ConfigError(f"optimizer.groups[{number}]: all that it names is frozen: remove it, or freeze less")
        divided.append((group, members))
    others = {one: trained[one] for one in trained if one not in owner}
    return [*divided, (ParameterGroup([]), others)] if others else divided


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """The scheduled rate for the next step: each group takes its factor of it."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("factor", 1)  # a user's optimiser may lack such groups


def _check(learning_rate: float, beta1: float, beta2: float, epsilon: float) -> None:
    if learning_rate <= 0:
        raise ConfigError(f"optimizer.learning_rate: expected a positive number, got {learning_rate}")
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= beta < 1:
            raise ConfigError(f"optimizer.{name}: expected a number from 0 up to, but not including, 1, got {beta}")
    if epsilon <= 0:
        raise ConfigError(f"optimizer.epsilon: expected a positive number, got {epsilon}")


def _check_decay(key: str, decay: float) -> None:
    if not 0 <= decay < 1:
        raise ConfigError(f"{key}: expected a number from 0 to 1, got {decay}")
