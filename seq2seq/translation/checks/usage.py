"""Conventions of the training text: where numbers stay digits, and in which languages lines begin with a capital.

A folder without these statistics has neither, and no check relies on them.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from seq2seq.data.dataset.store import Store, balanced_sample
from seq2seq.errors import ModelError
from seq2seq.translation.stages.number_check import Kind, kind, lost, numbers

Key = TypeVar("Key")
ROWS = 10_000  # lines of each language that are looked at, at most
FEWEST = 20  # lines needed for a decision
CARRIED = 0.9  # of the lines with such numbers whose translations contain them
CAPITALISED = 0.9  # of a language's lines


class Usage(NamedTuple):
    """numbers: directions, and the kind of numbers that their translations have as digits, too.

    capitals: source languages whose lines begin with a capital.
    """

    numbers: frozenset[tuple[str, str, Kind]] = frozenset()
    capitals: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, list[list[str]] | list[str]]:
        return {"numbers": [list(one) for one in sorted(self.numbers)], "capitals": sorted(self.capitals)}


def learn_usage(store: Store) -> Usage:
    """What training text shows, from a sample of it."""
    rows = balanced_sample(store, ROWS)
    sources, targets = store.texts(rows)
    languages = [[store.languages[number] for number in side] for side in store.language_numbers(rows)]
    carried: dict[tuple[str, str, Kind], list[int]] = {}
    capitals: dict[str, list[int]] = {}
    for source, target, one, other in zip(sources, targets, *languages, strict=True):
        result = {kind(number) for number in numbers(source)}
        lost_kinds = lost(source, target) if result else set()
        for each in result:
            carried.setdefault((one, other, each), [0, 0])[each not in lost_kinds] += 1
        letter = next((letter for letter in source if letter.isalpha()), "")
        capitals.setdefault(one, [0, 0])[letter != letter.lower()] += 1
    return Usage(_most(carried, CARRIED), _most(capitals, CAPITALISED))


def usage_from_json(value: object, where: str) -> Usage:
    """The inverse of `to_json`; empty for a folder without it. Raises ModelError."""
    if value is None:
        return Usage()
    try:
        assert isinstance(value, dict)
        kept: list[tuple[str, str, Kind]] = [
            (str(one), str(other), _kind(each)) for one, other, each in value["numbers"]
        ]
        return Usage(frozenset(kept), frozenset(map(str, value["capitals"])))
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{where}: usage: expected {{'numbers': [['en', 'de', 'large']], 'capitals': ['en']}} or null, "
            f"got {value!r}"
        ) from error


def shared_usage(every: Sequence[Usage]) -> Usage:
    """Of several models, what is so in the text of all."""
    return Usage(
        frozenset.intersection(*(one.numbers for one in every)),
        frozenset.intersection(*(one.capitals for one in every)),
    )


def _kind(value: object) -> Kind:
    if value == "small":
        return "small"
    if value == "large":
        return "large"
    raise ValueError(value)


def _most(counts: dict[Key, list[int]], share: float) -> frozenset[Key]:
    return frozenset(key for key, (no, yes) in counts.items() if no + yes >= FEWEST and yes >= share * (no + yes))
