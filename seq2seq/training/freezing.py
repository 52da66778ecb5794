"""Parameters that stay as they are while the others are trained."""

from collections.abc import Sequence

from torch import nn

from seq2seq.errors import ConfigError
from seq2seq.training.parameter_names import matching_names, names_of


def freeze(model: nn.Module, names: Sequence[str]) -> list[str]:
    """Takes the named parameters out of training (see naming.py); what to tell the user, a line each.

    A tied table is one parameter: frozen under one of its names, it is frozen under all. Raises ConfigError for a name
    that there is not, or where nothing is left to train.
    """
    if not names:
        return []
    every = dict(model.named_parameters(remove_duplicate=False))
    for name in matching_names(names, every, "freeze"):
        every[name].requires_grad_(False)
    parameters = list(model.parameters())
    trained = sum(one.numel() for one in parameters if one.requires_grad)
    if not trained:
        raise ConfigError(f"freeze: {', '.join(names)} leave no parameter to train: name fewer")
    total = sum(one.numel() for one in parameters)
    tied = [called for first, called in names_of(model).items() if len(called) > 1 and not every[first].requires_grad]
    return [
        f"freeze: {total - trained:,} parameters stay as they are, {trained:,} are trained",
        *(f"freeze: {' and '.join(called)} are one table, so all of them stay" for called in tied),
    ]
