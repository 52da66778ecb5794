"""What a corpus is: records of parallel text, named splits, and the directions that make pairs of them."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

from seq2seq.config.typecheck import place
from seq2seq.errors import ConfigError, DataError
from seq2seq.languages import conventional, is_code, same_code

NAMED = 5  # broken lines


class Record(NamedTuple):
    """One text in several languages; `origin`: file and line, `"train.en:17"`."""

    texts: dict[str, str]
    origin: str


class Pair(NamedTuple):
    """One text and its translation, in one direction."""

    source_language: str
    target_language: str
    source: str
    target: str
    origin: str


class Corpus(ABC):
    """Parallel text from any source.

    Args:
        languages: Codes; may be empty if the directions name them all.
        directions: `["en-de", "de-en"]`, or `"all"` for every ordered pair of `languages`; a single language,
            `["en"]`, is text without a translation.
        train: Names of the splits for training.
        valid: Names of the splits for validation.
        test: Names of the splits for testing.

    A record may lack a language (a missing JSON key, say); pairs skip such directions. Raises ConfigError for an
    impossible direction; reading raises DataError with file, line and what to do.
    """

    def __init__(
        self,
        languages: Sequence[str],
        directions: Sequence[str] | str,
        train: Sequence[str],
        valid: Sequence[str],
        test: Sequence[str],
    ) -> None:
        self.train, self.valid, self.test = list(train), list(valid), list(test)
        self.directions = parse_directions(directions, languages)
        named = dict.fromkeys(language for direction in self.directions for language in direction)
        self.languages = sorted(named)
        self.carriage_returns: dict[
            str, int
        ] = {}  # removed at line ends, by file; known once a file was read to its end
        for role, splits in (("train", self.train), ("valid", self.valid), ("test", self.test)):
            if isinstance(splits, str) or len(set(splits)) != len(splits):
                raise ConfigError(f"corpus.{role}: expected a list of different split names, got {splits}")

    @abstractmethod
    def records(self, split: str) -> Iterator[Record]:
        """The records of a split in their order, in the languages of `directions` where the data has them."""

    @abstractmethod
    def fingerprint(self, split: str) -> str:
        """A hash of the split's content (of its files' bytes), the same on every machine."""

    def paths(self, split: str) -> list[Path]:
        """The files that a split is read from, where they are files of this machine that the corpus knows."""
        return []

    def pairs(self, split: str) -> Iterator[Pair]:
        """Every record once per direction: three records and two directions give six pairs, a record's own together.

        Text of a language by itself is paired with itself.
        """
        directions = self.directions
        for texts, origin in self.records(split):
            for source, target in directions:
                if source in texts and target in texts:
                    yield Pair(source, target, texts[source], texts[target], origin)


class FileCorpus(Corpus):
    """A corpus in the files of a folder.

    path: the folder; `~` is the home folder.
    """

    def __init__(
        self,
        path: str | Path,
        directions: Sequence[str] | str,
        languages: Sequence[str],
        train: Sequence[str],
        valid: Sequence[str],
        test: Sequence[str],
    ) -> None:
        super().__init__(languages, directions, train, valid, test)
        self.path = place(path)

    @abstractmethod
    def paths(self, split: str) -> list[Path]:
        """The files of a split. Raises DataError where one is missing."""

    def fingerprint(self, split: str) -> str:
        return hash_files(self.paths(split))


def parse_directions(directions: Sequence[str] | str, languages: Sequence[str]) -> list[tuple[str, str]]:
    """`["en-de", "de-en"]` as pairs of languages; `"all"` as all ordered pairs of `languages`.

    A single language, `["en"]`, becomes `("en", "en")`. Codes may have hyphens, `["pt-BR-en"]`: known codes, or
    `languages`, decide where one ends. Raises ConfigError.
    """
    if directions == "all":
        if len(set(languages)) < 2:
            raise ConfigError(f"corpus.languages: directions=all needs at least two languages, got {list(languages)}")
        return list(permutations(dict.fromkeys(languages), 2))
    if isinstance(directions, str) or not directions:
        raise ConfigError(f"corpus.directions: expected [en-de,...], [en] or all, got {directions!r}")
    parsed = [_parse_direction(direction, languages) for direction in directions]
    if len(set(parsed)) != len(parsed):
        raise ConfigError(f"corpus.directions: a direction occurs twice in {list(directions)}")
    return parsed


def _parse_direction(direction: str, languages: Sequence[str]) -> tuple[str, str]:
    parts = direction.split("-")
    splits = [("-".join(parts[:end]), "-".join(parts[end:])) for end in range(1, len(parts))]
    if not all(parts) or any(same_code(*split) for split in splits):
        raise ConfigError(f"corpus.directions: expected two different languages like en-de, got {direction!r}")
    alone = len(parts) == 1 or direction in languages
    if alone or (
        not languages and conventional(direction) and not any(all(map(conventional, split)) for split in splits)
    ):
        _check_known(direction, direction, languages)
        return direction, direction
    if len(splits) > 1:
        splits = _likely(splits, languages)
    if len(splits) != 1:
        readings = (
            " or ".join(f"{source} to {target}" for source, target in splits) or "no pair of languages that is known"
        )
        raise ConfigError(
            f"corpus.directions: {direction!r} may mean {readings}; list the codes in corpus.languages, or write "
            "them with _ instead of -, also in the names of files"
        )
    for code in splits[0]:
        _check_known(code, direction, languages)
    return splits[0]


def _likely(splits: list[tuple[str, str]], languages: Sequence[str]) -> list[tuple[str, str]]:
    """Those of the named languages; else those of most codes, and of these those in most usual capitals."""
    if languages:
        return [split for split in splits if all(code in languages for code in split)]
    counts = [(sum(map(is_code, split)), sum(map(conventional, split))) for split in splits]
    best = max(counts)
    return [split for split, count in zip(splits, counts, strict=True) if count == best and any(count)]


def _check_known(code: str, direction: str, languages: Sequence[str]) -> None:
    if languages and code not in languages:
        raise ConfigError(
            f"corpus.directions: unknown language {code!r} in {direction!r}; "
            f"corpus.languages has {', '.join(languages)}"
        )


def nonempty(records: Iterable[Record], where: str) -> Iterator[Record]:
    """The same records; DataError where there is none."""
    empty = True
    for record in records:
        empty = False
        yield record
    if empty:
        raise DataError(f"{where}: is empty; expected at least one line of text")


def hash_files(paths: Iterable[Path]) -> str:
    """SHA-256 over the bytes of some files, in their order, as hexadecimal digits. DataError where one is missing."""
    with ThreadPoolExecutor() as threads:  # hashing is done outside Python's lock
        return hashlib.sha256(b"".join(threads.map(_hash_file, paths))).hexdigest()


def _hash_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; check the path") from error


class Broken:
    """The broken rows of a file: the error for the first of them counts the others and names some.

    Once there is one, a reader goes through the rest of the file without handing it on.
    """

    def __init__(self) -> None:
        self.first = ""
        self.numbers: list[int] = []
        self.count = 0

    def add(self, number: int, problem: str) -> None:
        """A row by its number, and what is wrong with it."""
        self.first = self.first or problem
        self.numbers += [number][: NAMED - len(self.numbers)]
        self.count += 1

    def check(self) -> None:
        """Raises DataError where there is any."""
        if self.count > 1:
            more = ", ..." if self.count > len(self.numbers) else ""
            numbers = f"{', '.join(map(str, self.numbers))}{more}"
            raise DataError(f"{self.first} ({self.count:,} lines of the file are broken: {numbers})")
        if self.count:
            raise DataError(self.first)


def record(row: Mapping[str, object], columns: Mapping[str, str], where: str) -> Record:
    """The texts of one row of a table, or of its column `translation` (as on the hub: `{"en": ..., "de": ...}`).

    columns: the column of each language. A language without text (no such column, or null) is left out; a line end
    after the text is removed. Raises DataError for a cell that is not text.
    """
    nested = row.get("translation")
    cells = nested if isinstance(nested, Mapping) else row
    texts = {}
    for language, column in columns.items():
        text = cells.get(column)
        if text is None:
            continue
        if not isinstance(text, str):
            raise DataError(f"{where}: {column}: expected text, got {text!r}; fix the data")
        texts[language] = text.rstrip("\r\n")
    return Record(texts, where)


def complete(
    records: Iterable[Record], languages: Sequence[str], where: str, keys: Callable[[], str]
) -> Iterator[Record]:
    """The same records; DataError if there are none, or none with text in one of the languages.

    keys: returns the languages (or columns) that the data has, for the message.
    """
    missing = dict.fromkeys(languages)
    for row in nonempty(records, where):
        if missing:
            missing = {language: None for language in missing if language not in row.texts}
        yield row
    if missing:
        raise DataError(f"{where}: no text in language {', '.join(missing)}; the data has {keys()}")
