"""A low-resource setting cut out of Multi30k, and what back-translation makes of it.

    python data.py split CORPUS FOLDER      FOLDER/pairs: 10,000 pairs; FOLDER/mono.de: the other German lines
    python data.py mix FOLDER               FOLDER/untagged, FOLDER/tagged: the pairs, then mono.en with mono.de

Every one of the three folders gets valid and test_2016 too. The tag is `<BT> ` before a source line. Lines that came
back blank are left out.
"""

import sys
from pathlib import Path

from seq2seq.io.text import Lines, find

PAIRS = 10_000
TAG = "<BT> "
LANGUAGES = ("en", "de")
HELD_OUT = ("valid", "test_2016")


def split(corpus: Path, folder: Path) -> None:
    """The pairs, held-out text, and German by itself."""
    for language in LANGUAGES:
        lines = list(Lines(find(corpus, f"train.{language}")))
        write(folder / "pairs" / f"train.{language}", lines[:PAIRS])
        if language == "de":
            write(folder / "mono.de", lines[PAIRS:])
        for name in HELD_OUT:
            write(folder / "pairs" / f"{name}.{language}", list(Lines(find(corpus, f"{name}.{language}"))))


def mix(folder: Path) -> None:
    """The pairs with the synthetic ones, whose source is what the model made of German."""
    pairs = {language: list(Lines(folder / "pairs" / f"train.{language}")) for language in LANGUAGES}
    both = zip(Lines(folder / "mono.en"), Lines(folder / "mono.de"), strict=True)
    synthetic = [(made, real) for made, real in both if made.strip()]
    for name, tag in (("untagged", ""), ("tagged", TAG)):
        write(folder / name / "train.en", pairs["en"] + [tag + made for made, _ in synthetic])
        write(folder / name / "train.de", pairs["de"] + [real for _, real in synthetic])
        for held in HELD_OUT:
            for language in LANGUAGES:
                write(folder / name / f"{held}.{language}", list(Lines(folder / "pairs" / f"{held}.{language}")))
    print(f"{len(pairs['en']):,} pairs and {len(synthetic):,} synthetic ones")


def write(path: Path, lines: list[str]) -> None:
    """Lines that end in \\n on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    {"split": split, "mix": mix}[command](*map(Path, paths))
