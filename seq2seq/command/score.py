"""`seq2seq score`: how probable each line of a text is to a language model."""

from typing import Literal

from seq2seq.command.opened import path
from seq2seq.config import call
from seq2seq.errors import ConfigError
from seq2seq.modelling.file import score_file
from seq2seq.modelling.opened import chosen, opened
from seq2seq.modelling.scorer import Scorer
from seq2seq.translation.lines import writing


def run(
    model: str,
    language: str | None,
    input: str | None,
    output: str | None,
    totals: str | None,
    form: Literal["text", "json"],
    likeliest: int,
    batch_tokens: int,
    precision: str,
    threads: int | None,
) -> int:
    """Writes the score of each line; perplexity and bits per character of all go to standard error."""
    if likeliest and form == "text":
        raise ConfigError("likeliest: text has no room for other tokens: choose form=json")
    limits = {"batch_tokens": batch_tokens, "likeliest": likeliest}
    scorer: Scorer = call(Scorer, {**opened(model, precision, threads), **limits})
    found = score_file(scorer, chosen(language, scorer.languages), path(input), path(output), form)
    if totals is not None:
        with writing(path(totals)) as write:
            write([found.to_json()])
    return 0
