"""The figures of a run of the benchmark, and the tables they are shown in."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from multiplication import Rate
from parts import Profile
from speed import Speed


class Results(NamedTuple):
    """Everything that was measured; `work`: floating-point operations of training per target token, by model."""

    machine: str
    load: list[float]  # running processes before and after, a minute's average
    rates: list[Rate]
    parameters: dict[str, int]
    work: dict[str, float]
    speeds: list[Speed]
    profiles: list[Profile]

    def plain(self) -> dict[str, Any]:
        """As JSON has it, with the shares."""
        listed = {name: [one._asdict() for one in getattr(self, name)] for name in ("rates", "speeds", "profiles")}
        for record, speed in zip(listed["speeds"], self.speeds, strict=True):
            record["share"] = share(self, speed)
        return {**self._asdict(), **listed}


def share(results: Results, speed: Speed) -> float:
    """Of the rate of products with as many cores, the higher one of threads and processes."""
    possible = [
        rate.gflops
        for rate in results.rates
        if rate.format == speed.format and rate.threads * rate.processes == speed.threads
    ]
    return speed.median * results.work[speed.model] / 1e9 / max(possible)


def markdown(results: Results) -> str:
    """Three tables: products, trainings, profiles."""
    before, after = results.load
    lines = [f"{results.machine}; load before and after: {before:.1f}, {after:.1f}.", ""]
    lines += ["| matrix products | shape | GFLOP/s |", "|---|---|---|"]
    for rate in results.rates:
        shape = " x ".join(map(str, rate.shape))
        lines.append(f"| {rate.format}, {_ways(rate)} | {shape} | {rate.gflops:,.0f} |")
    lines += ["", *_trainings(results), "", *_parts(results)]
    return "\n".join(lines) + "\n"


def _ways(rate: Rate) -> str:
    if rate.threads * rate.processes == 1:
        return "one thread"
    return f"{rate.threads} threads" if rate.processes == 1 else f"{rate.processes} processes at once"


def _trainings(results: Results) -> list[str]:
    titles = ["model", "parameters", "MFLOP a target token", "format", "cores", "target tokens/s", "lowest to highest"]
    lines = _head(
        [*titles, "GFLOP/s", "share of the products' rate", "tokens an update", "padding", "waiting for data"]
    )
    for speed in results.speeds:
        work = results.work[speed.model]
        figures = [speed.model, f"{results.parameters[speed.model]:,}", f"{work / 1e6:.1f}", speed.format]
        figures += [f"{speed.threads}", f"{speed.median:,.0f}", f"{speed.lowest:,.0f} to {speed.highest:,.0f}"]
        figures += [f"{speed.median * work / 1e9:.0f}", f"{share(results, speed):.0%}"]
        figures += [f"{speed.tokens_per_update:,.0f}", f"{speed.padding:.1%}", f"{speed.waiting:.1%}"]
        lines.append(_row(figures))
    return lines


def _parts(results: Results) -> list[str]:
    """Shares of the time, a column per profile."""
    titles = [f"{one.model}, {one.format}, one core: ms per 1,000 target tokens" for one in results.profiles]
    lines = _head(["part", *titles])
    for part in results.profiles[0].milliseconds if results.profiles else ():
        lines.append(
            _row([part, *(f"{one.milliseconds[part]:.1f} ({_of(one, part):.1%})" for one in results.profiles)])
        )
    lines.append(_row(["sum", *(f"{sum(one.milliseconds.values()):.1f}" for one in results.profiles)]))
    lines.append(_row(["by the clock, with the profiler", *(f"{one.whole:.1f}" for one in results.profiles)]))
    lines.append(_row(["by the clock, without it", *(f"{one.without_profiler:.1f}" for one in results.profiles)]))
    return lines


def _of(profile: Profile, part: str) -> float:
    return profile.milliseconds[part] / sum(profile.milliseconds.values())


def _head(titles: Sequence[str]) -> list[str]:
    return [_row(titles), "|---" * len(titles) + "|"]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
