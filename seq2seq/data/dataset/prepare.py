"""From a corpus to stores for training: clean, tokenise, write; everything is cached by content and settings.

    prepared = prepare(corpus, cleaning, settings, cache=Path("runs/cache"), max_length=250)
    prepared.train, prepared.valid["valid"], prepared.tokenizer, prepared.counts

The cache has one entry per tokenizer and per store, named by a hash of all its inputs. Only complete entries have such
names, so that an interrupted preparation leaves nothing that looks finished.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq import plugins as own
from seq2seq.config.typecheck import place
from seq2seq.data.cleaning.base import Counts, Filter, clean
from seq2seq.data.corpus.base import Corpus, Pair
from seq2seq.data.dataset.cache import Fingerprint, TextHash, cache_entry, tokenizer_hash
from seq2seq.data.dataset.store import FORMAT, Store, Writer
from seq2seq.data.tokenizer.canonical import VERSION
from seq2seq.data.tokenizer.encode import encode_pairs
from seq2seq.data.tokenizer.pretrained import PretrainedTokenizer
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.data.tokenizer.train import TokenizerSettings, train_tokenizer
from seq2seq.errors import ConfigError, DataError
from seq2seq.io.text import read_json

Report = Callable[[str], None]
DROPPED = "dropped.tsv"  # reason and origin of every pair that was dropped, a line each
TOO_LONG = "too_long"  # the reason of a training pair with more than `longest` pieces on a side
REPORT = "report.json"
NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class PreparedCorpus:
    """What training needs of the data.

    counts: what cleaning kept and dropped of the training pairs. overlong: lines that were too long for the tokenizer's
    training. new: whether anything was prepared now (false: all of it came from the cache). fingerprint: of the content
    of all of it. splits: the corpus's fingerprint of each split.
    """

    tokenizer: Tokenizer
    train: Store
    valid: dict[str, Store]
    counts: Counts
    overlong: int
    fingerprint: Fingerprint
    new: bool
    splits: Mapping[str, str]


def prepare(
    corpus: Corpus,
    cleaning: Mapping[str, Filter],
    tokenizer: TokenizerSettings | PretrainedTokenizer | Tokenizer,
    cache: Path,
    max_length: int,
    report: Report = lambda message: None,
    fingerprints: Mapping[str, str] = NONE,
) -> PreparedCorpus:
    """Prepares the training and validation splits of a corpus, or returns their cache entries.

    Args:
        corpus: The text.
        cleaning: Filters by name, for training pairs only.
        tokenizer: Settings to train one, or an existing one.
        cache: Folder of the cache.
        max_length: Pieces of a side; longer training pairs are dropped and counted as `too_long`.
        report: Gets progress messages.
        fingerprints: Of splits whose fingerprints are already known.

    Raises:
        DataError: The corpus cannot be read, or cleaning leaves no training pair.
    """
    if max_length < 1:
        raise ConfigError(f"max_length: expected at least 1 piece, got {max_length}")
    build = _Build(corpus, place(cache), report, fingerprints)
    name, trained, overlong = build.tokenizer(tokenizer)
    folder = build.store("train", corpus.train, name, trained, cleaning, max_length)
    train = Store(folder)
    if len(train) == 0:
        raise DataError(f"corpus.train: no pairs left: {_counts(folder)}; relax the filters of cleaning=")
    valid = {split: Store(build.store("valid", [split], name, trained, {}, None)) for split in corpus.valid}
    fingerprint = _fingerprint(trained, train, valid, build.splits)
    return PreparedCorpus(trained, train, valid, _counts(folder), overlong, fingerprint, build.new, build.splits)


def prepare_tokenizer(
    corpus: Corpus,
    settings: TokenizerSettings | PretrainedTokenizer,
    cache: Path,
    report: Report,
    fingerprints: Mapping[str, str] = NONE,
) -> Tokenizer:
    """The tokenizer: trained on the corpus, from the cache, or an existing one."""
    return _Build(corpus, place(cache), report, fingerprints).tokenizer(settings)[1]


class _Build:
    """Makes the cache's entries for one corpus."""

    def __init__(self, corpus: Corpus, cache: Path, report: Report, fingerprints: Mapping[str, str]) -> None:
        self.corpus, self.cache, self.report = corpus, cache, report
        self.new = False
        self.splits = dict(fingerprints)

    def tokenizer(self, tokenizer: TokenizerSettings | PretrainedTokenizer | Tokenizer) -> tuple[str, Tokenizer, int]:
        """Name in the cache, tokenizer, and its lines too long to learn from."""
        if isinstance(tokenizer, PretrainedTokenizer):
            tokenizer = tokenizer.load(self.cache, self.report)
        if isinstance(tokenizer, Tokenizer):
            self._check_languages(tokenizer)
            return _key([model.hex() for model in tokenizer.models]), tokenizer, 0
        splits = [self._split(split) for split in self.corpus.train]
        sides = None if tokenizer.joint else self.corpus.directions
        rules = VERSION if tokenizer.canonical else None
        key = _key([FORMAT, rules, self.corpus.languages, sides, splits, vars(tokenizer)])
        folder = self._entry(f"tokenizer-{key}", lambda new: self._train(tokenizer, new))
        return key, Tokenizer.load(folder), int(_report(folder)["overlong"])

    def _check_languages(self, tokenizer: Tokenizer) -> None:
        if missing := [language for language in self.corpus.languages if language not in tokenizer.languages]:
            raise DataError(
                f"corpus: unknown language {missing[0]!r}, the tokenizer knows {', '.join(tokenizer.languages)}: train "
                "a new one (such as tokenizer=unigram); with init_from, pieces that both have keep their weights"
            )

    def store(
        self,
        role: str,
        splits: list[str],
        name: str,
        tokenizer: Tokenizer,
        cleaning: Mapping[str, Filter],
        longest: int | None,
    ) -> Path:
        """The folder of a store of some splits with a tokenizer called `name`; `longest` None keeps every pair."""
        settings = [[reason, repr(member)] for reason, member in cleaning.items()]
        content = [self._split(split) for split in splits]
        code = own.code(type(one).__module__ for one in (self.corpus, *cleaning.values()))
        key = _key([FORMAT, self.corpus.directions, content, name, settings, longest, *code.values()])
        return self._entry(f"{role}-{key}", lambda folder: self._write(folder, splits, tokenizer, cleaning, longest))

    def _train(self, settings: TokenizerSettings, folder: Path) -> None:
        self.report(f"training the tokenizer on {', '.join(self.corpus.train)}")
        trained = train_tokenizer(self.corpus, settings)
        trained.tokenizer.save(folder)
        (folder / REPORT).write_text(json.dumps({"lines": trained.lines, "overlong": trained.overlong}))

    def _write(
        self, folder: Path, splits: list[str], tokenizer: Tokenizer, cleaning: Mapping[str, Filter], longest: int | None
    ) -> None:
        self.report(f"preparing {', '.join(splits)}")
        self.corpus.carriage_returns.clear()
        texts = {split: TextHash() for split in splits}
        pairs = (pair for split, text in texts.items() for pair in text.passing(self.corpus.pairs(split)))
        writing = Writer(folder, tokenizer.languages, wide=max(tokenizer.sizes) > 1 << 16)
        with (folder / DROPPED).open("w", encoding="utf-8") as file, writing as writer:
            counts = Counts(0, {}, lambda reason, origin: file.write(f"{reason}\t{origin}\n"))
            kept = _stored(clean(pairs, cleaning, counts))
            if longest is not None:
                counts.dropped[TOO_LONG] = 0
            for chunk, too_long in encode_pairs(kept, tokenizer, writer.schema, longest):
                writer.write(chunk)
                for origin in too_long:
                    counts.drop(TOO_LONG, origin)
        if removed := sum(self.corpus.carriage_returns.values()):
            self.report(f"removed {removed:,} carriage returns at line ends; the files are from Windows")
        result = {split: text.content._asdict() for split, text in texts.items()}
        report = {"total": counts.total, "dropped": counts.dropped, "splits": result}
        (folder / REPORT).write_text(json.dumps(report))

    def _entry(self, name: str, make: Callable[[Path], None]) -> Path:
        """The cache's folder `name`, made now where it is missing."""
        folder = self.cache / name
        if folder.is_dir():
            return folder
        self.new = True
        return cache_entry(self.cache, name, make)

    def _split(self, split: str) -> str:
        if split not in self.splits:
            self.splits[split] = self.corpus.fingerprint(split)
        return self.splits[split]


def _stored(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """The same pairs; text of a language by itself is stored once, with an empty source."""
    for pair in pairs:
        yield pair._replace(source="") if pair.source_language == pair.target_language else pair


def _counts(folder: Path) -> Counts:
    report = _report(folder)
    return Counts(report["total"], report["dropped"])


def _report(folder: Path) -> dict[str, Any]:
    try:
        result = read_json((folder / REPORT).read_text("utf-8"))
        if isinstance(result, dict):
            return result
        problem = "expected an object"
    except (OSError, ValueError) as error:
        problem = str(error)
    raise DataError(f"{folder / REPORT}: cannot be read: {problem}; remove the folder and prepare again")


def _fingerprint(
    tokenizer: Tokenizer, train: Store, valid: Mapping[str, Store], files: Mapping[str, str]
) -> Fingerprint:
    """Of what was prepared, from what the cache's entries say of themselves."""
    ids = "".join(store.sizes.sha256 for store in (train, *valid.values()))
    return {
        "train": _split_contents(train.folder, files),
        "valid": {name: one for store in valid.values() for name, one in _split_contents(store.folder, files).items()},
        "tokenizer": {"sha256": tokenizer_hash(tokenizer.models)},
        "prepared": {"pairs": len(train), "sha256": hashlib.sha256(ids.encode()).hexdigest()},
    }


def _split_contents(folder: Path, files: Mapping[str, str]) -> dict[str, dict[str, object]]:
    splits = _report(folder)["splits"]
    return {name: {**content, "files": files[name]} for name, content in splits.items()}


def _key(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
