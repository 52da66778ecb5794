"""Typing errors."""

from dataclasses import dataclass
from random import Random

from seq2seq.data.augmentation.base import SourceNoise
from seq2seq.errors import ConfigError

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
NEIGHBOURS = {  # adjacent keys, in the same row and in the rows above and below
    key: "".join(row[max(0, place - 1) : place] + row[place + 1 : place + 2])
    + "".join(other[place] for other in ROWS if other is not row and place < len(other))
    for row in ROWS
    for place, key in enumerate(row)
}


@dataclass(frozen=True)
class Typos(SourceNoise):
    """`Two dogs play.` becomes `Tow dogsplay.`

    rate: the probability that a letter or a space is left out, followed by another letter, replaced or swapped with
    the next. The letter that comes in is a neighbour on the keyboard, or any letter of the line, of its script so.
    """

    growth = 1.5

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rate <= 1:
            raise ConfigError(f"rate: expected a probability above 0, up to 1, got {self.rate}")

    def changed(self, text: str, random: Random) -> str:
        letters = [one for one in text if one.isalpha()] or ["x"]
        typed: list[str] = []
        rest = iter(text)
        for one in rest:
            if not (one.isalpha() or one == " ") or random.random() >= self.rate:
                typed.append(one)
                continue
            kind = int(random.random() * 4)
            if kind == 1:
                typed += [one, _mistyped(one, letters, random)]
            elif kind == 2:
                typed.append(_mistyped(one, letters, random))
            elif kind == 3:
                typed += [next(rest, ""), one]
        return "".join(typed) if "".join(typed).strip() else text


def _mistyped(one: str, letters: list[str], random: Random) -> str:
    near = NEIGHBOURS.get(one.lower(), "") if random.random() < 0.5 else ""
    result = near[int(random.random() * len(near))] if near else letters[int(random.random() * len(letters))]
    return result.upper() if one.isupper() else result.lower()
