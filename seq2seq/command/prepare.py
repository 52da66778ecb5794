"""`seq2seq prepare`: a corpus becomes a tokenizer and stores in the cache."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from seq2seq.config import build, build_all, call
from seq2seq.data.cleaning.base import Counts
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.prepare import DROPPED, Prepared
from seq2seq.data.prepare import prepare as prepare_corpus
from seq2seq.training.team import leads

Node = dict[str, object]


def run(corpus: Node, cleaning: Node, tokenizer: Node, prepare: Node, cache: Path) -> int:
    """Prepares what is not prepared yet and says on standard output what there is now."""
    prepared = prepared_corpus(build(corpus, where="corpus"), cleaning, tokenizer, prepare, cache)
    print(f"{prepared.train.folder}: {'prepared' if prepared.new else 'was prepared already'}")
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(_cleaned(prepared.counts))
    if prepared.counts.kept < prepared.counts.total:
        print(f"dropped, and why: {prepared.train.folder / DROPPED}")
    for split, store in prepared.valid.items():
        console.print(f"{split}: {len(store):,} pairs, all kept")
    return 0


def prepared_corpus(corpus: Corpus, cleaning: Node, tokenizer: Node, prepare: Node, cache: Path) -> Prepared:
    """What the cache holds of a corpus after making what it lacks; news of that go to standard error."""
    arguments = {
        **prepare,
        "corpus": corpus,
        "cleaning": build_all(cleaning, "cleaning"),
        "tokenizer": build(tokenizer, where="tokenizer"),
        "cache": cache,
        "report": say,
    }
    prepared: Prepared = call(prepare_corpus, arguments, "prepare")
    return prepared


def say(message: str) -> None:
    """News on standard error; of several processes of torchrun only the first tells them."""
    if leads():
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
