"""Parameters by name: what `freeze` and `optimizer.groups` mean by a name."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from torch import nn

from seq2seq.errors import ConfigError


def matching_names(patterns: Sequence[str], names: Collection[str], where: str) -> list[str]:
    """Those of `names` that a pattern means: itself, what it begins up to a dot, or what it fits with *, ? and [].

        encoder                      encoder.layers.0.recurrent.cell.weight, ...
        *.bias                       encoder.layers.0.norm.bias, ...

    Raises ConfigError for a pattern that means none; `where` is the key that holds the patterns.
    """
    result: set[str] = set()
    for pattern in patterns:
        meant = {one for one in names if one == pattern or one.startswith(f"{pattern}.") or fnmatchcase(one, pattern)}
        if not meant:
            beginnings = sorted({one.partition(".")[0] for one in names})
            near = get_close_matches(pattern, [*beginnings, *names], n=1)
            raise ConfigError(
                f"{where}: no parameter is called {pattern!r}{f', did you mean {near[0]}?' if near else ';'} there are "
                f"{', '.join(beginnings)}, and their parts, such as {max(names, key=len)}"
            )
        result |= meant
    return [one for one in names if one in result]


def names_of(model: nn.Module) -> dict[str, list[str]]:
    """Every parameter's first name, under which optimisers and checkpoints know it, and all its names: a tied table has
    several."""
    first = {one: name for name, one in model.named_parameters()}
    result: dict[str, list[str]] = {name: [] for name in first.values()}
    for name, one in model.named_parameters(remove_duplicate=False):
        result[first[one]].append(name)
    return result


def first_names(model: nn.Module, patterns: Sequence[str], where: str) -> list[str]:
    """The first names of all parameters that the patterns mean by any of theirs. Raises ConfigError."""
    called = names_of(model)
    meant = set(matching_names(patterns, [name for names in called.values() for name in names], where))
    return [first for first, names in called.items() if meant.intersection(names)]
