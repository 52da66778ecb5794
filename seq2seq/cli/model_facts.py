"""Facts about the training data of a model for its card, shared by all commands that train."""

from seq2seq.cli.prepare import Node
from seq2seq.config.typecheck import place
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.dataset.prepare import PreparedCorpus
from seq2seq.data.tokenizer.tokenizer import Tokenizer

Facts = dict[str, object]


def model_facts(
    node: Node, corpus: Corpus, prepared: PreparedCorpus, tokenizer: Tokenizer, license: str | None
) -> Facts:
    """Licence, tokenizer and data: names, numbers and hashes of texts, but not where they lie on this machine."""
    counts, name = prepared.counts, corpus_name(node)
    pairs = {split: len(store) for split, store in prepared.valid.items()}
    if len(corpus.train) == 1:
        pairs[corpus.train[0]] = counts.total
    splits = {
        f"{name}{split}": {"use": use, "pairs": pairs.get(split), "sha256": prepared.splits[split]}
        for use, splits in (("training", corpus.train), ("validation", corpus.valid))
        for split in splits
    }
    return {
        "license": license,
        "tokenizer": {"algorithm": tokenizer.algorithm("target"), "sizes": list(tokenizer.sizes)},
        "data": {"splits": splits, "pairs": counts.total, "kept": counts.kept},
    }


def corpus_name(node: Node) -> str:
    """The name of a corpus: its name on the hub, or that of its folder or file, with a slash after it."""
    result = node.get("name") or node.get("path")
    return f"{place(result).resolve().name}/" if isinstance(result, str) else ""
