"""From a corpus of text and labels, or of labels and text, to stores that can be trained on."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from seq2seq.data.cleaning.base import Filter
from seq2seq.data.corpus.base import Corpus, Pair, Record
from seq2seq.data.dataset.prepare import NONE, PreparedCorpus, Report, prepare, prepare_tokenizer
from seq2seq.data.tokenizer.labelled_tokenizer import LabelledTokenizer
from seq2seq.data.tokenizer.pretrained import PretrainedTokenizer
from seq2seq.data.tokenizer.train import TokenizerSettings
from seq2seq.errors import ConfigError, DataError

Form = TypeVar("Form", bound=LabelledTokenizer)


class LabelledCorpus(Corpus):
    """A corpus of one direction: its text for the tokenizer, and its checked pairs.

    Raises ConfigError for several directions.
    """

    def __init__(self, corpus: Corpus, text_first: bool, check: Callable[[str, str], None] | None = None) -> None:
        if len(corpus.directions) != 1 or len(set(corpus.directions[0])) != 2:
            example = "text-label" if text_first else "label-text"
            raise ConfigError(f"corpus.directions: expected one direction like [{example}], got {_listed(corpus)}")
        self.corpus, self.check = corpus, check
        self.train, self.valid, self.test = corpus.train, corpus.valid, corpus.test
        self.directions = corpus.directions
        source, target = corpus.directions[0]
        self.text, self.label = (source, target) if text_first else (target, source)
        self.languages = [self.text]
        self.carriage_returns = corpus.carriage_returns

    def records(self, split: str) -> Iterator[Record]:
        """The text side."""
        for texts, origin in self.corpus.records(split):
            if self.text in texts:
                yield Record({self.text: texts[self.text]}, origin)

    def labels(self) -> Iterator[str]:
        """The label side's lines of the training splits."""
        for split in self.train:
            yield from (texts[self.label] for texts, _ in self.corpus.records(split) if self.label in texts)

    def pairs(self, split: str) -> Iterator[Pair]:
        """Lines that are blank on both sides are passed over. DataError, with file and line, for others."""
        for pair in self.corpus.pairs(split):
            if not pair.source.strip() and not pair.target.strip():
                continue
            try:
                if self.check is not None:
                    self.check(pair.source, pair.target)
            except ValueError as error:
                raise DataError(f"{pair.origin}: {error}; fix the line or remove it") from None
            yield pair

    def fingerprint(self, split: str) -> str:
        return self.corpus.fingerprint(split)


def prepare_labelled(
    corpus: Corpus,
    form: type[Form],
    cleaning: Mapping[str, Filter],
    tokenizer: TokenizerSettings | PretrainedTokenizer,
    cache: Path,
    max_length: int,
    report: Report,
    fingerprints: Mapping[str, str] = NONE,
) -> tuple[PreparedCorpus, Form]:
    """Like `prepare`; a tokenizer is trained on the text side, and `form` collects the other side of train.

    Raises ConfigError or DataError.
    """
    if isinstance(tokenizer, TokenizerSettings) and not tokenizer.joint:
        raise ConfigError("tokenizer.joint: labelled text has only one side to tokenise, so leave it true")
    plain = LabelledCorpus(corpus, form.text_first)
    labelled = form.gathered(
        lambda: prepare_tokenizer(plain, tokenizer, cache, report, fingerprints), plain.label, plain.labels()
    )
    checked = LabelledCorpus(corpus, form.text_first, labelled.check)
    return prepare(checked, cleaning, labelled, cache, max_length, report, fingerprints), labelled


def _listed(corpus: Corpus) -> str:
    return ", ".join(f"{source}-{target}" for source, target in corpus.directions)
