"""Scoring and sampling of files and streams: N lines in, N lines out, and one line about all of them at the end."""

import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

from seq2seq.io.text import FIRST_CHUNK, LARGEST_CHUNK, reading, writing
from seq2seq.tasks.language_model.sampler import Sample, Sampler
from seq2seq.tasks.language_model.scorer import Score, ScoredToken, Scorer, bits_per_character, perplexity

Form = Literal["text", "json"]


class Totals(NamedTuple):
    """Sums over lines; see measure.py for what is counted. `blank` lines count nowhere else."""

    lines: int = 0
    blank: int = 0
    nats: float = 0.0
    tokens: int = 0
    characters: int = 0

    def plus(self, scores: list[Score]) -> "Totals":
        """With some lines more."""
        return Totals(
            self.lines + len(scores),
            self.blank + sum(score.blank for score in scores),
            self.nats - sum(score.log_probability for score in scores),
            self.tokens + sum(len(score.tokens) for score in scores),
            self.characters + sum(score.characters for score in scores),
        )

    @property
    def perplexity(self) -> float:
        """Per token."""
        return perplexity(self.nats, self.tokens)

    @property
    def bits_per_character(self) -> float:
        return bits_per_character(self.nats, self.characters)

    def to_json(self) -> str:
        """The sums with what follows from them."""
        derived = {"perplexity": self.perplexity, "bits_per_character": self.bits_per_character}
        return json.dumps({**self._asdict(), **derived}, indent=1)


def score_file(scorer: Scorer, language: str, input: Path | None, output: Path | None, output_format: Form) -> Totals:
    """Scores every line of `input` (None: standard input) into `output` (None: standard output).

    `output_format`: `text` writes the line's log-probability in nats, its perplexity per token and its bits per
    character, separated by tabs; `json` an object with these and each token with its log-probability (and the scorer's
    `top_k` most probable tokens). A blank line stays blank (in JSON `{"status": "blank"}`). Standard error gets the
    totals, which are also returned. Raises ConfigError for a language the model does not know, DataError for a file
    that cannot be read or written.
    """
    totals = Totals()
    written = _score_as_json if output_format == "json" else _score_as_text
    with reading(input) as lines, writing(output) as write:
        for scores in scorer.score(lines.chunks(FIRST_CHUNK if output is None else LARGEST_CHUNK), language):
            write(map(written, scores))
            totals = totals.plus(scores)
    print(summary(totals), file=sys.stderr)
    return totals


def summary(totals: Totals) -> str:
    """One line: what the text's probability is, and of what."""
    scored = f"{totals.lines - totals.blank:,} of {totals.lines:,} lines scored" + (
        ", the others are blank" if totals.blank else ""
    )
    if not totals.tokens:
        return scored
    return (
        f"{scored}: "
        f"log-probability {-totals.nats:,.1f} nats, "
        f"perplexity {totals.perplexity:.3f} over {totals.tokens:,} tokens (each line's EOS included), "
        f"{totals.bits_per_character:.4f} bits per character over {totals.characters:,} (each line's end included)"
    )


def sample_file(
    sampler: Sampler, language: str, num_samples: int, prompts: Path | None, output: Path | None, output_format: Form
) -> None:
    """Writes `num_samples` lines, for every line of the file `prompts` where there is one (`-`: standard input).

    `output_format`: `text` writes whole lines, their prompts included; `json` an object with the line, its prompt, the
    log-probability of what was added in nats and whether the model ended the line.
    Raises ConfigError for a language the model does not know, DataError where a file cannot be read or written.
    """
    written = _sample_as_json if output_format == "json" else _sample_as_text
    with writing(output) as write:
        for samples in sampler.sample(_repeated(prompts, num_samples), language):
            write(map(written, samples))


def _repeated(prompts: Path | None, count: int) -> Iterator[str]:
    """Every beginning `count` times; without a file, the empty one."""
    if prompts is None:
        yield from ("" for _ in range(count))
        return
    with reading(None if str(prompts) == "-" else prompts) as lines:
        for line in chain.from_iterable(lines.chunks(FIRST_CHUNK)):
            yield from (line for _ in range(count))


def _score_as_text(score: Score) -> str:
    if score.blank:
        return ""
    return f"{score.log_probability:.4f}\t{score.perplexity:.4f}\t{score.bits_per_character:.4f}"


def _score_as_json(score: Score) -> str:
    if score.blank:
        return json.dumps({"status": "blank"})
    return json.dumps(
        {
            "status": "ok",
            "log_probability": round(score.log_probability, 4),
            "perplexity": round(score.perplexity, 4),
            "bits_per_character": round(score.bits_per_character, 4),
            "tokens": [[token.piece, round(token.log_probability, 4), *_likeliest(token)] for token in score.tokens],
        },
        ensure_ascii=False,
    )


def _likeliest(token: ScoredToken) -> list[dict[str, float]]:
    """`[{"a": -0.1, "b": -2.4}]`, or nothing where that was not asked for."""
    return [{piece: round(value, 4) for piece, value in token.likeliest}] if token.likeliest else []


def _sample_as_text(sample: Sample) -> str:
    return sample.text


def _sample_as_json(sample: Sample) -> str:
    return json.dumps(
        {
            "text": sample.text,
            "beginning": sample.beginning,
            "log_probability": round(sample.log_probability, 4),
            "finished": sample.finished,
        },
        ensure_ascii=False,
    )
