"""Where time goes: what torch's profiler saw, added up by the part of the network (or of the training) it belongs to.

A part is a range of the forward pass. What happens in the backward pass belongs to the part whose forward operation it
is the gradient of, which the profiler's sequence numbers tell. Every moment counts once: the parts make up the whole.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch.autograd.profiler import record_function
from torch.autograd.profiler_util import FunctionEvent

MARK = "part: "  # how the names of our ranges begin
WHOLE, REST = "whole", "the rest"
BACKWARD = "autograd::engine::evaluate_function: "


@contextmanager
def marked(places: Iterable[tuple[object, str, str]]) -> Iterator[None]:
    """Inside, every call of these functions is a range of its part; a place is `(class or module, name, part)`."""
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in places if name in vars(owner)]
    for owner, name, part in places:
        if name in vars(owner):
            setattr(owner, name, ranged(vars(owner)[name], part))
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def ranged(function: Callable[..., Any], part: str) -> Callable[..., Any]:
    """The function, its calls being ranges."""

    @wraps(function)
    def within(*given: Any, **named: Any) -> Any:
        with record_function(MARK + part):
            return function(*given, **named)

    return within


def seconds_by_part(events: Iterable[FunctionEvent], device: bool) -> dict[str, float]:
    """Seconds inside of ranges marked `whole`, by part; `device`: of a GPU's kernels, instead of the thread's time."""
    ordered = sorted(events, key=lambda event: (event.time_range.start, -event.time_range.end))
    inside = [event for event in ordered if _whole(event)]
    forward: dict[int, str] = {}
    for event in inside:
        if event.sequence_nr >= 0 and not _gradient(event):
            forward[event.sequence_nr] = _part(event, {})  # the last to bear a number is the one that made the node
    found: dict[str, float] = {}
    for event in inside:
        part = _part(event, forward)
        seconds = (event.self_device_time_total if device else event.self_cpu_time_total) * 1e-6
        found[part] = found.get(part, 0.0) + seconds
    return found


def _whole(event: FunctionEvent) -> bool:
    """Whether a range of the whole is around the event, or the event itself."""
    above: FunctionEvent | None = event
    while above is not None:
        if above.name == MARK + WHOLE:
            return True
        above = above.cpu_parent
    return False


def _gradient(event: FunctionEvent) -> FunctionEvent | None:
    """The step of the backward pass that the event is in."""
    above: FunctionEvent | None = event
    while above is not None and not above.name.startswith(BACKWARD):
        above = above.cpu_parent
    return above


def _part(event: FunctionEvent, forward: dict[int, str]) -> str:
    """Of the innermost range around the event, or of the forward operation whose gradient it computes."""
    step = _gradient(event)
    if step is not None:
        return forward.get(step.sequence_nr, REST)
    above: FunctionEvent | None = event
    while above is not None:
        if above.name.startswith(MARK) and above.name != MARK + WHOLE:
            return above.name.removeprefix(MARK)
        above = above.cpu_parent
    return REST


def new_profiler() -> torch.profiler.profile:
    """One that sees this machine's processor and, where there is one, its GPU."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    return torch.profiler.profile(activities=activities, acc_events=True)
