"""Translating beside OpenNMT-py, JoeyNMT and Marian, in turns: `python translation.py [--quick] [--peers marian]`.

Everyone translates the same lines with a model of about the same size, trained on the same text for the same time:
greedily and with five hypotheses, on one core and on all, a file as fast as it goes and one line after the other.
Models and environments that are there are used again. Writes runs/benchmark/translation.json after every measurement,
and translation.md after every turn.
"""

import argparse
import itertools
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmark import machine
from captions import Captions, written
from contestant.base import Contestant, UnavailableError
from contestant.joeynmt import JoeyNMT
from contestant.marian import Marian
from contestant.opennmt import OpenNMT
from contestant.ours import Ours, OursInPython
from models import FOLDER
from race import Race
from records import Record, Records
from translation_table import markdown

from seq2seq.device import formats

PLACE = FOLDER / "translation"
PEERS = ("opennmt", "joeynmt", "marian")
BEAMS = (1, 5)


def main() -> None:
    """Prepares, measures, writes, prints."""
    chosen = arguments()
    if chosen.quick:
        chosen.turns, chosen.seconds, chosen.latency_lines, chosen.starts = 1, 1.0, 20, 1
    PLACE.mkdir(parents=True, exist_ok=True)
    asked = {name: value for name, value in vars(chosen).items() if name not in ("resume", "minutes")}
    head = {
        "machine": machine(len(chosen.cores)),
        "load": [os.getloadavg()[0]],
        "asked": {**asked, "run": str(chosen.run)},
    }
    records = Records(FOLDER / f"translation{'_quick' if chosen.quick else ''}.json", head, chosen.resume)
    measured(chosen, records)
    print(markdown(records))


def arguments() -> argparse.Namespace:
    """Those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), help="whom to run beside ours")
    asked = "ours: a precision each, and options of `seq2seq translate` after it"
    parser.add_argument("--formats", nargs="+", default=sorted(formats()), help=asked)
    parser.add_argument("--minutes", type=float, default=20.0, help="of training each model that is not there")
    parser.add_argument("--turns", type=int, default=2, help="how often each speed and latency is measured")
    parser.add_argument("--seconds", type=float, default=8.0, help="of translating, for a speed")
    parser.add_argument("--latency-lines", type=int, default=100, help="lines that are translated one by one")
    parser.add_argument("--starts", type=int, default=5, help="how often a command is started for one line")
    known = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    parser.add_argument("--cores", type=int, nargs="+", default=known, help="numbers of those that `all` means")
    parser.add_argument("--run", type=Path, default=PLACE / "ours", help="our run folder, trained where it is missing")
    parser.add_argument("--quick", action="store_true", help="one turn of a second: to try everything out")
    parser.add_argument("--resume", action="store_true", help="go on with a measurement that was interrupted")
    return parser.parse_args()


def measured(chosen: argparse.Namespace, records: Records) -> None:
    """Everything that is not in the records yet."""
    ours: list[Contestant] = [Ours(chosen.run, one) for one in chosen.formats]
    if not (chosen.run / "model").is_dir():
        ours[0].train(chosen.minutes, len(chosen.cores))
    captions = written(PLACE / "text", chosen.run / "model" / "tokenizer.model")
    theirs = list(peers(chosen.peers, captions))
    records.head.pop("left_out", None)  # of a measurement that is gone on with
    race = Race(PLACE / "race", captions, chosen.cores, chosen.seconds)
    able = [one for one in interleaved(ours, theirs) if ready(one, chosen, race, records)]
    for turn in range(chosen.turns):
        one_turn(turn, able, chosen, race, records)
        records.head["load"] = [records.head["load"][0], os.getloadavg()[0]]
        records.store()
        records.file.with_suffix(".md").write_text(markdown(records), "utf-8")


def one_turn(turn: int, able: Sequence[Contestant], chosen: argparse.Namespace, race: Race, records: Records) -> None:
    """Everybody's speeds, then the time a line takes; what hardly varies the first time only."""
    for beam, cores in itertools.product(BEAMS, sorted({1, len(chosen.cores)})):
        for who in able:
            asked = {"kind": "speed", "who": who.name, "beam": beam, "cores": cores}
            note(records, {**asked, "turn": turn}, partial(sped, race, who, beam, cores, records))
    for who, beam in itertools.product(with_python(able, chosen), BEAMS):
        asked = {"kind": "latency", "who": who.name, "beam": beam, "turn": turn}
        note(records, asked, partial(race.latency, who, beam, chosen.latency_lines))
    for who in able:
        note(records, {"kind": "start", "who": who.name}, partial(race.start, who, chosen.starts))
        note(records, {"kind": "disk", "who": who.name}, partial(race.disk, who))


def peers(names: Sequence[str], captions: Captions) -> Iterator[Contestant]:
    """These toolkits, each in every number format it has on a CPU."""
    if "opennmt" in names:
        yield OpenNMT(PLACE, captions, FOLDER)
    if "marian" in names:
        yield from (Marian(PLACE, captions, FOLDER, number_format) for number_format in ("fp32", "int8"))
    if "joeynmt" in names:
        yield JoeyNMT(PLACE, captions, FOLDER)


def interleaved(ours: Sequence[Contestant], theirs: Sequence[Contestant]) -> Iterator[Contestant]:
    """Ours, theirs, ours, theirs: what else the machine does hits all alike."""
    for pair in itertools.zip_longest(ours, theirs):
        yield from (one for one in pair if one is not None)


def ready(who: Contestant, chosen: argparse.Namespace, race: Race, records: Records) -> bool:
    """Installs, trains and tries out; who cannot take part is reported."""
    try:
        who.install()
        who.train(chosen.minutes, len(chosen.cores))
        race.trial(who)
    except (UnavailableError, subprocess.CalledProcessError) as error:
        records.head.setdefault("left_out", {})[who.name] = str(error)
        print(f"{who.name} is left out: {error}", flush=True)
        return False
    return True


def note(records: Records, asked: Record, measure: Callable[[], Record]) -> None:
    """Measures what is not in the records; a failure becomes a record too."""
    if records.find(asked):
        return
    begun = time.monotonic()
    try:
        found = measure()
    except UnavailableError as error:
        found = {"failed": str(error)}
    records.add({**asked, **found})
    print(
        f"{time.monotonic() - begun:5.1f} s",
        *(f"{key}={_short(value)}" for key, value in {**asked, **found}.items()),
        flush=True,
    )


def sped(race: Race, who: Contestant, beam: int, cores: int, records: Records) -> Record:
    """A speed; the first time on all cores the quality of what came out, too."""
    before = [
        one for one in records.find({"kind": "speed", "who": who.name, "beam": beam, "cores": cores}) if "lines" in one
    ]
    found, translated = race.speed(who, beam, cores, before)
    quality = {"kind": "quality", "who": who.name, "beam": beam}
    note(records, quality, lambda: race.quality(translated))
    return found


def with_python(able: Sequence[Contestant], chosen: argparse.Namespace) -> list[Contestant]:
    """For latency: ours by its Python interface too, in the first of its formats."""
    first = [OursInPython(chosen.run, chosen.formats[0])] if able and " " not in chosen.formats[0] else []
    return [*able, *first]


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:200]


if __name__ == "__main__":
    main()
