"""A data set of the Hugging Face hub, or a local one, through the `datasets` library."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.config.typecheck import place
from seq2seq.data.corpus.base import Corpus, Record, complete, hash_files, record
from seq2seq.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset


class Datasets(Corpus):
    """Rows of a data set; their columns are languages, or one column `translation` holds them.

    name: on the hub (`bentrevett/multi30k`), or a local folder that `save_to_disk` wrote or that holds Parquet, JSON or
    CSV files. config: one of its configurations, or null. revision: a commit or tag, or null. columns: the column of a
    language where it is not the language itself. splits: the data set's name of a split where it is another.
    Raises DataError where it is not available, or a language never occurs.
    """

    def __init__(
        self,
        name: str,
        config: str | None,
        revision: str | None,
        columns: Mapping[str, str],
        splits: Mapping[str, str],
        directions: Sequence[str] | str,
        languages: Sequence[str],
        train: Sequence[str],
        valid: Sequence[str],
        test: Sequence[str],
    ) -> None:
        super().__init__(languages, directions, train, valid, test)
        self.name, self.config, self.revision = name, config, revision
        self.columns = {language: columns.get(language, language) for language in self.languages}
        self.splits = dict(splits)
        self._loaded: dict[str, Dataset] = {}

    def records(self, split: str) -> Iterator[Record]:
        dataset = self._load(split)
        where = f"{self.name}/{self.splits.get(split, split)}"
        rows = self._rows(dataset, where)
        return complete(rows, self.languages, where, lambda: f"the columns {dataset.features}")

    def fingerprint(self, split: str) -> str:
        """The library's own fingerprints differ from run to run, so this hashes the table's files."""
        dataset = self._load(split)
        files = [Path(file["filename"]) for file in dataset.cache_files]
        content = hash_files(files) if files else _hash_rows(dataset)
        return f"{content} {self.splits.get(split, split)} {len(dataset)} {sorted(self.columns.items())}"

    def _rows(self, dataset: "Dataset", where: str) -> Iterator[Record]:
        number = 0
        for columns in dataset.iter(batch_size=1024):
            for cells in zip(*columns.values(), strict=True):
                number += 1
                yield record(dict(zip(columns, cells, strict=True)), self.columns, f"{where}:{number}")

    def _load(self, split: str) -> "Dataset":
        if split not in self._loaded:
            self._loaded[split] = self._fetch(self.splits.get(split, split))
        return self._loaded[split]

    def _fetch(self, split: str) -> "Dataset":
        import datasets  # imported here: it takes a second, and a prepared corpus of files never needs it

        folder = place(self.name)
        try:
            if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
                whole = datasets.load_from_disk(str(folder))
                return whole[split] if isinstance(whole, datasets.DatasetDict) else whole
            return datasets.load_dataset(
                str(folder) if folder.exists() else self.name, self.config, split=split, revision=self.revision
            )
        except (OSError, ValueError, KeyError, datasets.exceptions.DatasetsError) as error:
            raise DataError(
                f"{self.name}: split {split} is not available: {str(error).splitlines()[0]}; check corpus.name, "
                "corpus.config and the splits, and the network where it is on the hub"
            ) from error


def _hash_rows(dataset: "Dataset") -> str:
    """A data set in memory has no files: its rows in order."""
    whole = hashlib.sha256()
    for columns in dataset.iter(batch_size=1024):
        whole.update(repr(sorted(columns.items())).encode("utf-8", "surrogatepass"))
    return whole.hexdigest()
