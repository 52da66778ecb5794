"""Makes a parallel corpus of numbers, dates, times and amounts, written out in en, de, fr, es and cs.

    python generate.py FOLDER      writes FOLDER/{train,valid,test}.{en,de,fr,es,cs}

Line N of one file says the same as line N of the others. No line stands in two splits, and no two records share a line
in any language, so that every source line has exactly one right translation. The same call writes the same bytes.
"""

import datetime
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from wording import LANGUAGES, amount, date, number, time

SIZES = {"train": 8000, "valid": 200, "test": 250}  # records; each is a pair in 20 directions
KINDS = {"number": 0.4, "amount": 0.25, "date": 0.2, "time": 0.15}  # shares of the records
SEED = 1
Record = tuple[str, ...]  # one line per language


def main(folder: Path) -> None:
    """Writes every split."""
    records = iter(distinct(random.Random(SEED)))
    folder.mkdir(parents=True, exist_ok=True)
    for split, size in SIZES.items():
        lines = [next(records) for _ in range(size)]
        for column, language in enumerate(LANGUAGES):
            text = "".join(f"{record[column]}\n" for record in lines)
            (folder / f"{split}.{language}").write_text(text, encoding="utf-8", newline="\n")


def distinct(source: random.Random) -> Iterator[Record]:
    """Records without end; one that repeats a line of an earlier one, in whatever language, is drawn again."""
    seen: set[tuple[int, str]] = set()
    makers: dict[str, Callable[[random.Random], Record]] = {
        "number": _number,
        "amount": _amount,
        "date": _date,
        "time": _time,
    }
    while True:
        record = makers[source.choices(list(KINDS), list(KINDS.values()))[0]](source)
        lines = set(enumerate(record))
        if not lines & seen:
            seen |= lines
            yield record


def _number(source: random.Random) -> Record:
    value = source.randrange(10 ** source.randint(2, 6))  # as many short numbers as long ones
    return tuple(number(value, language) for language in LANGUAGES)


def _amount(source: random.Random) -> Record:
    whole = source.randrange(1, 10 ** source.randint(1, 4))
    part = source.choice((0, source.randrange(1, 100)))
    currency = source.choice(("euro", "dollar"))
    return tuple(amount(whole, part, currency, language) for language in LANGUAGES)


def _date(source: random.Random) -> Record:
    first, last = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()
    day = datetime.date.fromordinal(source.randint(first, last))
    return tuple(date(day, language) for language in LANGUAGES)


def _time(source: random.Random) -> Record:
    hour, minute = source.randrange(24), source.randrange(60)
    return tuple(time(hour, minute, language) for language in LANGUAGES)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
