"""Aligned text files: line N of one language is the translation of line N of the others."""

from collections.abc import Iterator
from pathlib import Path

from seq2seq.data.corpus.base import FileCorpus, Record, nonempty
from seq2seq.data.corpus.misalignment import parting
from seq2seq.errors import DataError
from seq2seq.io.text import Lines, find


class Files(FileCorpus):
    """One file per split and language, `SPLIT.LANGUAGE`, plain or compressed (.gz .xz .zst), in the folder `path`.

    Raises DataError where files of one split differ in their number of lines, are empty, missing or not UTF-8.
    """

    def file(self, split: str, language: str) -> Path:
        """The file of a split in a language. DataError if there is none."""
        return find(self.path, f"{split}.{language}")

    def records(self, split: str) -> Iterator[Record]:
        paths = self.paths(split)
        where = ", ".join(str(path) for path in paths)
        return nonempty(self._aligned(paths), where)

    def paths(self, split: str) -> list[Path]:
        return [self.file(split, language) for language in self.languages]

    def _aligned(self, paths: list[Path]) -> Iterator[Record]:
        files = [Lines(path) for path in paths]
        readers = [iter(file) for file in files]
        name = paths[0].name
        number = 0
        while True:
            number += 1
            texts = {
                language: line
                for language, reader in zip(self.languages, readers, strict=True)
                if (line := next(reader, None)) is not None
            }
            if len(texts) < len(readers):
                break
            yield Record(texts, f"{name}:{number}")
        self.carriage_returns |= {file.path.name: file.carriage_returns for file in files}
        if texts:
            self._refuse(paths, readers, texts, number)

    def _refuse(self, paths: list[Path], readers: list[Iterator[str]], texts: dict[str, str], number: int) -> None:
        """DataError that counts every file to its end."""
        counts = [
            number - 1 + (language in texts) + sum(1 for _ in reader)
            for language, reader in zip(self.languages, readers, strict=True)
        ]
        counted = ", ".join(f"{path} has {count}" for path, count in zip(paths, counts, strict=True))
        short, long = (choose(zip(counts, paths, strict=True))[1] for choose in (min, max))
        raise DataError(
            f"{short}:{min(counts) + 1}: the file ends before this line: {counted} lines; line N must be the "
            f"translation of line N: {parting(short, long)}; fix or re-align the files"
        )
