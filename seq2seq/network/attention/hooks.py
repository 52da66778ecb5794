"""Reads attention weights, in a copy of a model that shares its parameters."""

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor

from seq2seq.network.attention.base import Attention
from seq2seq.network.attention.last import LastPosition
from seq2seq.network.attention.none import Uniform
from seq2seq.network.model import Model

BLIND = (LastPosition, Uniform)  # attentions whose weights do not depend on the query


def with_shared_weights(model: Model) -> Model:
    """A copy of the modules, whose weights are the model's own: who listens to it hears no search in the model."""
    packed = [one for module in model.modules() for one in vars(module).values() if isinstance(one, Tensor)]
    shared: dict[int, Any] = {id(one): one for one in (*model.parameters(), *model.buffers(), *packed)}
    return copy.deepcopy(model, shared)


def attentions_of(model: Model) -> list[Attention]:
    """The attentions that look at words, the lowest layer first."""
    return [one for one in model.modules() if isinstance(one, Attention) and not isinstance(one, BLIND)]


def add_hook(attention: Attention, heard: Callable[[Tensor], None]) -> None:
    """Calls `heard` with the weights of every call: of all target positions, or of one at a time."""

    def telling(call: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
        def told(*given: Any) -> tuple[Any, ...]:
            result = call(*given)
            heard(result[1])
            return result

        return told

    setattr(attention, "forward", telling(attention.forward))  # noqa: B010 - a method of this copy only
    if type(attention).step is not Attention.step:  # which goes through forward
        setattr(attention, "step", telling(attention.step))  # noqa: B010
