"""Missing full stops, commas and other marks."""

import re
from dataclasses import dataclass
from random import Random

from seq2seq.data.augmentation.base import SourceNoise
from seq2seq.errors import ConfigError

SPACED = (
    ".,;:!?…"  # marks before a space, a closing quote or the end; inside of words and numbers they are something else
)
ANYWHERE = "¡¿。、，；：！？．｡､؟،؛۔।॥។៖၊။՞։།።፣፤"
CLOSING = "\"'»”’“)\\]"
MARKS = re.compile(rf"[{SPACED}]+(?=[{CLOSING}\s]|$)|[{ANYWHERE}]+")
FINAL = re.compile(rf"[{SPACED}{ANYWHERE}]+(?=[{CLOSING}\s]*$)")


@dataclass(frozen=True)
class NoPunctuation(SourceNoise):
    """`Yes, two dogs at 10:30.` becomes `Yes two dogs at 10:30`.

    final: the probability that only the end of the line loses its mark.
    """

    final: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.final <= 1:
            raise ConfigError(f"final: expected a probability from 0 to 1, got {self.final}")

    def changed(self, text: str, random: Random) -> str:
        bare = (FINAL if random.random() < self.final else MARKS).sub("", text)
        return bare if bare.strip() else text
