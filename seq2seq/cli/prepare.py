"""`seq2seq prepare`: a corpus becomes a tokenizer and stores in the cache."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from seq2seq.cli.paths import Place, check_places
from seq2seq.config.build import build, build_all, call
from seq2seq.data.cleaning.base import Counts
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.dataset.prepare import DROPPED, NONE, PreparedCorpus
from seq2seq.data.dataset.prepare import prepare as prepare_corpus
from seq2seq.errors import DataError
from seq2seq.training.distributed.process_group import is_main

Node = dict[str, object]


def run(corpus: Node, cleaning: Node, tokenizer: Node, prepare: Node, cache: Path) -> int:
    """Prepares a corpus unless its cache entry exists, and prints a summary."""
    text: Corpus = build(corpus, where="corpus")
    check_places({"corpus": text_places(text)}, {"cache": [cache]})
    prepared = prepared_corpus(text, cleaning, tokenizer, prepare, cache)
    print(f"{prepared.train.folder}: {'prepared' if prepared.new else 'was prepared already'}")
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(_cleaned(prepared.counts))
    if prepared.counts.kept < prepared.counts.total:
        print(f"dropped, and why: {prepared.train.folder / DROPPED}")
    for split, store in prepared.valid.items():
        console.print(f"{split}: {len(store):,} pairs, all kept")
    return 0


def prepared_corpus(
    corpus: Corpus, cleaning: Node, tokenizer: Node, prepare: Node, cache: Path, fingerprints: Mapping[str, str] = NONE
) -> PreparedCorpus:
    """What the cache holds of a corpus after making what it lacks; news of that go to standard error.

    `fingerprints`: those of its splits that are known already.
    """
    arguments = {
        **prepare,
        "corpus": corpus,
        "cleaning": build_all(cleaning, "cleaning"),
        "tokenizer": build(tokenizer, where="tokenizer"),
        "cache": cache,
        "report": say,
        "fingerprints": fingerprints,
    }
    prepared: PreparedCorpus = call(prepare_corpus, arguments, "prepare")
    return prepared


def text_places(corpus: Corpus) -> list[Place]:
    """The files of all splits, without those that are missing: reading them reports that."""
    result: list[Place] = []
    for split in dict.fromkeys((*corpus.train, *corpus.valid, *corpus.test)):
        with suppress(DataError):
            result += corpus.paths(split)
    return result


def say(message: str) -> None:
    """Prints messages on standard error; of the ranks of torchrun only the main one prints."""
    if is_main():
        print(message, file=sys.stderr)


def _cleaned(counts: Counts) -> Table:
    """One row a reason for which training pairs were dropped, and what is left."""
    table = Table("training pairs", title=f"kept {counts.kept:,} of {counts.total:,}")
    table.add_column("number", justify="right")
    table.add_column("share", justify="right")
    rows = {f"dropped: {reason}": count for reason, count in counts.dropped.items()}
    for name, count in {**rows, "kept": counts.kept}.items():
        table.add_row(name, f"{count:,}", f"{count / max(1, counts.total):.1%}")
    return table
