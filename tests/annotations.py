"""The same checks of annotations as jaxtyping's, at a third of their price.

`--jaxtyping-packages` puts `@jaxtyping.jaxtyped(typechecker=...)` on every function of the package, which binds the
arguments of every call and checks them twice, also where no tensor is annotated. Here every function is checked once,
and only those whose annotations name axes have a scope for them. Of these, which are called thousands of times in the
loop of a search and whose checks cost more than their work, each test checks the first calls and a sample of the rest.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ForwardRef, get_args

import jaxtyping

Checker = Callable[..., Any]
thorough = jaxtyping.jaxtyped
SCOPE = thorough("context")
FIRST = 16  # calls of a function that every test checks
EVERY = 16  # one in so many of the later ones is checked
tests = 0  # that have begun in this process


def jaxtyped(*, typechecker: Checker) -> Callable[[Any], Any]:
    """The decorator that an instrumented module asks for."""

    def decorated(function: Any) -> Any:
        if not inspect.isfunction(function) or any(map(known_later, function.__annotations__.values())):
            checked = thorough(function, typechecker=typechecker)  # also a class, and what another decorator has made
            return sampled(function, checked) if inspect.isfunction(function) else checked
        checked = typechecker(function)
        names = any(map(names_axes, function.__annotations__.values()))
        return sampled(function, scoped(checked)) if names else checked

    return decorated


def begin_test() -> None:
    """The first calls from now on are checked."""
    global tests
    tests += 1


def sampled(function: Checker, checked: Checker) -> Checker:
    """`checked` for the first calls in a test and a sample of the later ones, `function` itself for the rest."""
    test = calls = 0

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal test, calls
        if test != tests:
            test, calls = tests, 0
        calls += 1
        return (checked if calls <= FIRST or calls % EVERY == 0 else function)(*args, **kwargs)

    return wrapped


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
