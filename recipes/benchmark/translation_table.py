"""The tables of a comparison of translating, from its records."""

import statistics
from collections.abc import Sequence

from records import Record, Records

BASES = ("OpenNMT-py 3.5.1, fp32", "Marian 1.12.42, fp32")
MODES = {1: "greedy", 5: "beam 5"}


def markdown(records: Records) -> str:
    """The machine, who was left out, and a table each: speed, ratios, time a line, what else."""
    load = ", ".join(f"{one:.1f}" for one in records.head["load"])
    lines = [f"{records.head['machine']}; load before and after: {load}.", ""]
    lines += [f"Left out: {who}: {why}\n" for who, why in records.head.get("left_out", {}).items()]
    failed = [one for one in records.list if "failed" in one]
    lines += [
        f"Failed: {one['who']}, {one['kind']}, {MODES.get(one.get('beam', 0), '')}: {one['failed']}\n" for one in failed
    ]
    for table in (speeds(records), latencies(records), rest(records)):
        lines += [*table, ""]
    return "\n".join(lines)


def speeds(records: Records) -> list[str]:
    """Means of the turns, fastest first, and how many times OpenNMT-py's and Marian's sentences a second that is."""
    titles = ["cores", "search", "who", "sentences/s, turn by turn", "mean", "target words/s", "words/s and core"]
    titles += [
        "of OpenNMT-py",
        "of Marian",
        "lines",
        "seconds of the command",
        "peak MB",
        "cores busy with it",
        "with others",
    ]
    rows = [_row(titles), "|---" * len(titles) + "|"]
    for cores, beam in _asked(records, "speed", ("cores", "beam")):
        found = {
            who: _turns(records, {"kind": "speed", "who": who, "cores": cores, "beam": beam}) for who in _who(records)
        }
        means = {who: _mean(turns, "sentences") for who, turns in found.items() if turns}
        for who in sorted(means, key=lambda one: -means[one]):
            turns, words = found[who], _mean(found[who], "words")
            figures = [str(cores), MODES[beam], who, ", ".join(f"{one['sentences']:,.1f}" for one in turns)]
            figures += [f"{means[who]:,.1f}", f"{words:,.0f}", f"{words / cores:,.0f}"]
            figures += [f"{means[who] / means[base]:.2f}" if base in means else "" for base in BASES]
            figures += [f"{turns[0]['lines']:,}", ", ".join(f"{one['command_seconds']:.1f}" for one in turns)]
            figures += [
                f"{max(one['peak'] for one in turns) / 1e6:,.0f}",
                f"{_mean(turns, 'own'):.0%}",
                f"{_mean(turns, 'others'):.0%}",
            ]
            rows.append(_row(figures))
    return rows


def latencies(records: Records) -> list[str]:
    """Milliseconds a line on one core: medians over the turns of the median and of the 95th percentile."""
    titles = ["search", "who", "median ms a line", "95th percentile", "turn by turn", "words a line", "lines"]
    rows = [_row(titles), "|---" * len(titles) + "|"]
    for (beam,) in _asked(records, "latency", ("beam",)):
        found = {who: _turns(records, {"kind": "latency", "who": who, "beam": beam}) for who in _who(records)}
        medians = {who: statistics.median(one["median"] for one in turns) for who, turns in found.items() if turns}
        for who in sorted(medians, key=lambda one: medians[one]):
            turns = found[who]
            late = statistics.median(one["late"] for one in turns)
            each = ", ".join(f"{1000 * one['median']:.1f}" for one in turns)
            figures = [MODES[beam], who, f"{1000 * medians[who]:.1f}", f"{1000 * late:.1f}", each]
            rows.append(_row([*figures, f"{turns[0]['words']:.1f}", str(turns[0]["lines"])]))
    return rows


def rest(records: Records) -> list[str]:
    """Time to the first translation, memory of that, disk, quality."""
    titles = ["who", "start to first translation, s", "lowest to highest", "peak MB, one line", "MB on disk"]
    titles += ["BLEU greedy", "beam 5", "chrF beam 5", "words a line"]
    rows = [_row(titles), "|---" * len(titles) + "|"]
    for who in _who(records):
        start, disk = (_turns(records, {"kind": kind, "who": who}) for kind in ("start", "disk"))
        greedy, beam = (_turns(records, {"kind": "quality", "who": who, "beam": one}) for one in MODES)
        if not (start and disk and greedy and beam):
            continue
        times = sorted(start[0]["every"])
        figures = [
            who,
            f"{start[0]['seconds']:.2f}",
            f"{times[0]:.2f} to {times[-1]:.2f}",
            f"{start[0]['peak'] / 1e6:,.0f}",
        ]
        figures += [f"{disk[0]['bytes'] / 1e6:.1f}", f"{greedy[0]['bleu']:.1f}", f"{beam[0]['bleu']:.1f}"]
        rows.append(_row([*figures, f"{beam[0]['chrf']:.1f}", f"{beam[0]['line_words']:.1f}"]))
    signatures = {one["signature"] for one in _turns(records, {"kind": "quality"})}
    return [*rows, "", *(f"BLEU: {one}." for one in sorted(signatures))]


def _turns(records: Records, asked: Record) -> list[Record]:
    """Those that did not fail."""
    return [one for one in records.find(asked) if "failed" not in one]


def _who(records: Records) -> list[str]:
    """In the order in which they first appeared."""
    return list(dict.fromkeys(one["who"] for one in records.list))


def _asked(records: Records, kind: str, keys: Sequence[str]) -> list[tuple[int, ...]]:
    """All that was asked for under these keys."""
    return sorted({tuple(one[key] for key in keys) for one in records.find({"kind": kind})})


def _mean(turns: Sequence[Record], key: str) -> float:
    return statistics.mean(one[key] for one in turns)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
