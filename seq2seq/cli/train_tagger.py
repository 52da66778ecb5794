"""`seq2seq train_tagger`: lines of tokens, each token with a label, become a tagger."""

from pathlib import Path

from seq2seq.cli.prepare import Node
from seq2seq.cli.train_job import keep_tokenizer
from seq2seq.cli.train_labelled import parts, train_parts
from seq2seq.cli.warm_start import WarmStart
from seq2seq.data.tokenizer.labelled_tokenizer import TagTokenizer
from seq2seq.device import default_device
from seq2seq.tasks.labelling.validation import HeldOut


def run(
    run: Path,
    seed: int,
    corpus: Node,
    cleaning: Node,
    tokenizer: Node,
    prepare: Node,
    cache: Path,
    init_from: Path | None,
    init_optimizer: bool,
    freeze: list[str],
    loader: Node,
    model: Node,
    objective: Node,
    optimizer: Node,
    schedule: Node,
    trainer: Node,
    license: str | None,
    configuration: Node,
) -> int:
    """Trains into the folder `run`, or resumes there; `configuration` is all of it, for the run's records."""
    keep_tokenizer(run, tokenizer, configuration)
    made = parts(
        TagTokenizer, run, seed, corpus, cleaning, tokenizer, prepare, cache, init_from, loader, model, trainer, license
    )
    validate = HeldOut(made.network, made.tokenizer.labels.names, made.held_out, made.dtype, default_device())
    beginning = WarmStart(run, init_from, init_optimizer, freeze)
    return train_parts(run, "tagger", made, beginning, model, objective, optimizer, schedule, validate, configuration)
