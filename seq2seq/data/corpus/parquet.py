"""Parquet tables: one language a column."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seq2seq.data.corpus.base import Broken, FileCorpus, Record, complete, record
from seq2seq.errors import DataError


class Parquet(FileCorpus):
    """`SPLIT.parquet`, or the parts `SPLIT-*.parquet` in the order of their names, in the folder `path`.

    The columns are languages, or one column `translation` holds a struct of them; other columns are passed over.
    Raises DataError where a file is no Parquet, a column is not text, or a language never occurs.
    """

    def records(self, split: str) -> Iterator[Record]:
        paths = self.paths(split)
        return complete(self._rows(paths), self.languages, f"{self.path}/{split}", lambda: self._columns(paths[0]))

    def paths(self, split: str) -> list[Path]:
        whole = self.path / f"{split}.parquet"
        paths = [whole] if whole.is_file() else sorted(self.path.glob(f"{split}-*.parquet"))
        if not paths:
            raise DataError(
                f"{self.path}: no {split}.parquet and no {split}-*.parquet; check corpus.path and the splits"
            )
        return paths

    def _rows(self, paths: list[Path]) -> Iterator[Record]:
        columns = {language: language for language in self.languages}
        for path in paths:
            number, broken = 0, Broken()
            try:
                with pq.ParquetFile(path) as file:
                    columns_read = [
                        name for name in file.schema_arrow.names if name in (*self.languages, "translation")
                    ]
                    for batch in file.iter_batches(batch_size=4096, columns=columns_read):
                        for row in batch.to_pylist():
                            number += 1
                            try:
                                result = record(row, columns, f"{path.name}:{number}")
                            except DataError as error:
                                broken.add(number, str(error))
                                continue
                            if not broken.count:
                                yield result
            except (pa.ArrowException, UnicodeDecodeError) as error:
                raise DataError(f"{path}:{number + 1}: cannot be read: {error}; obtain the file again") from error
            broken.check()

    def _columns(self, path: Path) -> str:
        return f"the columns {', '.join(pq.read_schema(path).names)}"
