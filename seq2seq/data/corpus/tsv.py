"""Tab-separated text: one record a line, one language a column."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from seq2seq.data.corpus.base import Broken, FileCorpus, Record, nonempty
from seq2seq.errors import DataError
from seq2seq.io.text import Lines, find


class TSV(FileCorpus):
    """`SPLIT.tsv`, plain or compressed (.gz .xz .zst), in the folder `path`; quotes mean nothing.

    columns: the columns' names in their order, the languages among them; where it is empty, the first line names them.
    Raises DataError where a language has no column, or a line has more or fewer fields than there are columns.
    """

    def __init__(
        self,
        path: str | Path,
        columns: Sequence[str],
        directions: Sequence[str] | str,
        languages: Sequence[str],
        train: Sequence[str],
        valid: Sequence[str],
        test: Sequence[str],
    ) -> None:
        super().__init__(path, directions, languages, train, valid, test)
        self.columns = list(columns)

    def records(self, split: str) -> Iterator[Record]:
        [path] = self.paths(split)
        return nonempty(self._rows(path), str(path))

    def fingerprint(self, split: str) -> str:
        return f"{super().fingerprint(split)} {' '.join(self.columns)}"

    def paths(self, split: str) -> list[Path]:
        return [find(self.path, f"{split}.tsv")]

    def _rows(self, path: Path) -> Iterator[Record]:
        file = Lines(path)
        numbered = enumerate(file, start=1)
        columns = self.columns or next(numbered, (0, ""))[1].split("\t")
        if missing := [language for language in self.languages if language not in columns]:
            raise DataError(
                f"{path}:1: no column {', '.join(missing)}; the columns are {', '.join(columns)}; "
                "name them by the first line or by corpus.columns=[en,de]"
            )
        places = [(language, columns.index(language)) for language in self.languages]
        broken = Broken()
        for number, line in numbered:
            fields = line.split("\t")
            if len(fields) != len(columns):
                broken.add(
                    number,
                    f"{path}:{number}: expected {len(columns)} fields ({', '.join(columns)}), got {len(fields)}; "
                    "correct the line (a tab inside a text?)",
                )
            elif not broken.count:
                yield Record({language: fields[place] for language, place in places}, f"{path.name}:{number}")
        broken.check()
        self.carriage_returns[path.name] = file.carriage_returns
