"""One JSON object a line: `{"en": "A dog.", "de": "Ein Hund."}`."""

import json
from collections.abc import Iterator
from pathlib import Path

from seq2seq.data.corpus.base import Broken, FileCorpus, Record, complete, record
from seq2seq.errors import DataError
from seq2seq.io.text import Lines, find, read_json


class JSONL(FileCorpus):
    """`SPLIT.jsonl`, plain or compressed (.gz .xz .zst), in the folder `path`.

    The keys are languages, at the top or below `translation`; other keys are passed over, and an object may lack a
    language. Raises DataError where a line is not an object of texts, or a language never occurs.
    """

    def records(self, split: str) -> Iterator[Record]:
        [path] = self.paths(split)
        return complete(self._rows(path), self.languages, str(path), lambda: f"{next(iter(Lines(path)))[:200]} ...")

    def paths(self, split: str) -> list[Path]:
        return [find(self.path, f"{split}.jsonl")]

    def _rows(self, path: Path) -> Iterator[Record]:
        columns = {language: language for language in self.languages}
        file = Lines(path)
        broken = Broken()
        for number, line in enumerate(file, start=1):
            try:
                result = record(_object(line, f"{path}:{number}"), columns, f"{path}:{number}")
            except DataError as error:
                broken.add(number, str(error))
                continue
            if not broken.count:
                yield result
        broken.check()
        self.carriage_returns[path.name] = file.carriage_returns


def _object(line: str, where: str) -> dict[str, object]:
    try:
        row = read_json(line)
        json.dumps(row, ensure_ascii=False).encode()  # a lone surrogate is no text
    except ValueError as error:
        raise DataError(f"{where}: expected a JSON object of texts: {error}; correct the line") from error
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected a JSON object, got {line[:40]!r}; correct the line")
    return row
