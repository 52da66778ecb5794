"""Odd spaces."""

import re
from dataclasses import dataclass
from random import Random

from seq2seq.data.augmentation.base import SourceNoise
from seq2seq.errors import ConfigError

PLACES = re.compile(r" |(?<=\w)(?=[.,;:!?…)]+(?:\s|$))|(?<=[\"“„«(])(?=\w)")  # spaces, and where some people write one
SPACES = ("", "  ", "\u00a0", "\u2009", " ")  # instead of a space


@dataclass(frozen=True)
class Spaces(SourceNoise):
    """`Two dogs, one cat.` becomes `Twodogs , one  cat .`

    rate: probability that a space is missing, doubled, a no-break or a thin one, or that one is inserted before a mark.
    """

    growth = 1.5

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rate <= 1:
            raise ConfigError(f"rate: expected a probability above 0, up to 1, got {self.rate}")

    def changed(self, text: str, random: Random) -> str:

        def space(match: re.Match[str]) -> str:
            if random.random() >= self.rate:
                return match[0]
            return SPACES[int(random.random() * len(SPACES))] if match[0] else " "

        return PLACES.sub(space, text)
