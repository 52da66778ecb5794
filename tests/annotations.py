"""The same checks of annotations as jaxtyping's, at a third of their price.

`--jaxtyping-packages` puts `@jaxtyping.jaxtyped(typechecker=...)` on every function of the package, which binds the
arguments of every call and checks them twice, also where no tensor is annotated. Here every function is checked once,
and only those whose annotations name axes have a scope for them.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ForwardRef, get_args

import jaxtyping

Checker = Callable[..., Any]
thorough = jaxtyping.jaxtyped
SCOPE = thorough("context")


def jaxtyped(*, typechecker: Checker) -> Callable[[Any], Any]:
    """The decorator that an instrumented module asks for."""

    def decorated(function: Any) -> Any:
        if not inspect.isfunction(function) or any(map(known_later, function.__annotations__.values())):
            return thorough(function, typechecker=typechecker)  # also a class, and what another decorator has made
        checked = typechecker(function)
        return scoped(checked) if any(map(names_axes, function.__annotations__.values())) else checked

    return decorated


def scoped(function: Checker) -> Checker:
    """Axes of the same name are as long as each other within a call."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with SCOPE:
            return function(*args, **kwargs)

    return wrapped


def names_axes(annotation: Any) -> bool:
    """Somewhere in `annotation`: `Float[Tensor, "batch"]`, `list[Float[Tensor, "batch"]] | None`."""
    if inspect.isclass(annotation) and issubclass(annotation, jaxtyping.AbstractArray):
        return True
    return any(map(names_axes, get_args(annotation)))


def known_later(annotation: Any) -> bool:
    """Somewhere in `annotation` is a name in quotes, of which beartype alone makes an error where it cannot find it."""
    return isinstance(annotation, str | ForwardRef) or any(map(known_later, get_args(annotation)))
