"""Multi30k twice: `python data.py CORPUS FOLDER` writes FOLDER/references and, but for train.de, FOLDER/distilled.

What is missing is the teacher's to write: its translations of train.en.
"""

import sys
from pathlib import Path

from seq2seq.io.text import Lines, find

SPLITS = ("train", "valid", "test_2016")


def main(corpus: Path, folder: Path) -> None:
    """Writes every file."""
    for split in SPLITS:
        for language in ("en", "de"):
            lines = "".join(f"{line}\n" for line in Lines(find(corpus, f"{split}.{language}")))
            for name in ("references", "distilled"):
                if (name, split, language) != ("distilled", "train", "de"):
                    (folder / name).mkdir(parents=True, exist_ok=True)
                    (folder / name / f"{split}.{language}").write_text(lines, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
