"""Training the tokenizer: which text it sees, with which settings."""

import heapq
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from sentencepiece import SentencePieceTrainer

from seq2seq import special_tokens as symbols
from seq2seq.data.corpus.base import Corpus
from seq2seq.data.tokenizer.canonical import source_text, target_text
from seq2seq.data.tokenizer.tokenizer import Side, Tokenizer, marked_canonical
from seq2seq.errors import ConfigError, DataError

LONGEST_LINE = 4192  # bytes; sentencepiece passes over longer lines without a word, so we count them
ALGORITHMS = {"unigram": "unigram", "bpe": "bpe", "characters": "char"}  # our names and sentencepiece's
NORMALISATIONS = ("identity", "nfkc", "nmt_nfkc", "nfkc_cf", "nmt_nfkc_cf")
TAG_NAME = re.compile("[A-Z][A-Z0-9_]*")
THREADS = 16  # of sentencepiece's training; fixed, since the sums it makes depend on it


class TokenizerSettings:
    """Settings of a tokenizer to train.

    Args:
        algorithm: `unigram` (Kudo 2018), `bpe` (Sennrich 2016) or `characters`, each a piece, so that decoding
            restores any line (except U+2581, sentencepiece's sign for a space).
        vocab_size: Ids of a model; for characters the maximum.
        joint: One model for both sides.
        byte_fallback: Whether unknown characters are spelt as bytes.
        normalisation: sentencepiece's rule; `identity` changes nothing.
        collapse_spaces: Whether runs of spaces become one, and outer ones are removed.
        character_coverage: Share of the characters that get a piece.
        sample_megabytes: Megabytes (UTF-8) of training text for a model, the same for every language.
        source_tags: Names of kinds of source lines: with `[BT]`, a source line `<BT> some text` is a tag and text (for
            tagged back-translation, Caswell et al. 2019); no other text becomes that tag.
        canonical: Whether lines are read in their canonical form.

    Raises:
        ConfigError: For a value out of range.
    """

    def __init__(
        self,
        algorithm: str,
        vocab_size: int,
        joint: bool,
        byte_fallback: bool,
        normalisation: str,
        collapse_spaces: bool,
        character_coverage: float,
        sample_megabytes: float,
        seed: int,
        source_tags: Sequence[str],
        canonical: bool,
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise ConfigError(f"tokenizer.algorithm: expected one of {', '.join(ALGORITHMS)}, got {algorithm!r}")
        if normalisation not in NORMALISATIONS:
            raise ConfigError(
                f"tokenizer.normalisation: expected one of {', '.join(NORMALISATIONS)}, got {normalisation!r}"
            )
        if vocab_size < 8:
            raise ConfigError(f"tokenizer.vocab_size: expected at least 8, got {vocab_size}")
        if not 0.9 <= character_coverage <= 1:
            raise ConfigError(f"tokenizer.character_coverage: expected 0.9 to 1, got {character_coverage}")
        if not 0 < sample_megabytes <= 1000:
            raise ConfigError(
                f"tokenizer.sample_megabytes: expected megabytes above 0 and up to 1000, got {sample_megabytes}"
            )
        self.algorithm, self.vocab_size, self.joint, self.byte_fallback = algorithm, vocab_size, joint, byte_fallback
        self.normalisation, self.collapse_spaces, self.character_coverage = (
            normalisation,
            collapse_spaces,
            character_coverage,
        )
        self.sample_megabytes, self.seed = sample_megabytes, seed
        for name in source_tags:
            if not TAG_NAME.fullmatch(name) or list(source_tags).count(name) > 1:
                raise ConfigError(
                    "tokenizer.source_tags: expected different names of capitals and digits that begin with a capital, "
                    f"such as BT (lines then begin with {symbols.source_tag('BT')} and a space), got {name!r}"
                )
        self.source_tags = list(source_tags)
        self.canonical = canonical


class TrainedTokenizer(NamedTuple):
    """A new tokenizer, the number of lines it was trained on, and the number of lines too long to learn from."""

    tokenizer: Tokenizer
    lines: int
    overlong: int


def train_tokenizer(corpus: Corpus, settings: TokenizerSettings) -> TrainedTokenizer:
    """Trains on a sample of the training splits; the same text and settings give the same bytes.

    Raises ConfigError where the text cannot fill the vocabulary, DataError where there is no text.
    """
    sources = sorted({source for source, _ in corpus.directions})
    targets = sorted({target for _, target in corpus.directions})
    sides: list[tuple[list[str], list[Side]]] = (
        [(corpus.languages, ["source", "target"])] if settings.joint else [(sources, ["source"]), (targets, ["target"])]
    )
    sample = TrainingSample(corpus.languages, int(settings.sample_megabytes * 1e6), settings.seed)
    for split in corpus.train:
        for record in corpus.records(split):
            sample.add({language: untagged(text, settings.source_tags) for language, text in record.texts.items()})
    texts = [
        [line for language in languages for line in _read(sample.lines([language]), language, roles, corpus, settings)]
        for languages, roles in sides
    ]
    models = [_train(lines, corpus.languages, settings) for lines in texts]
    return TrainedTokenizer(Tokenizer(models), sum(map(len, texts)), sample.overlong)


def _read(
    lines: Sequence[str], language: str, sides: Sequence[Side], corpus: Corpus, settings: TokenizerSettings
) -> Iterator[str]:
    """Lines of a language as the tokenizer meets them: in two forms where they are source text and target text."""
    translated = [direction for direction in corpus.directions if len(set(direction)) == 2]
    forms: list[Callable[[str], str]] = []
    if settings.canonical and "source" in sides and any(language == source for source, _ in translated):
        forms.append(source_text)
    if settings.canonical and "target" in sides and any(language == target for _, target in corpus.directions):
        forms.append(target_text)
    for line in lines:
        yield from dict.fromkeys(form(line) for form in forms) if forms else [line]


def untagged(text: str, names: Sequence[str]) -> str:
    """A line without the source tags that it begins with."""
    while names and any(text.startswith(tag := f"{symbols.source_tag(name)} ") for name in names):
        text = text[len(tag) :]
    return text


class TrainingSample:
    """A uniform sample of lines per language that holds at most `limit` bytes.

    Every line draws a random number; if the bytes do not suffice, the lines with the largest numbers are removed.
    """

    def __init__(self, languages: Sequence[str], limit: int, seed: int) -> None:
        self.overlong = 0
        self._limit = limit // len(languages)
        self._bytes = dict.fromkeys(languages, 0)
        self._heaps: dict[str, list[tuple[float, int, str]]] = {language: [] for language in languages}
        self._threshold = dict.fromkeys(languages, 0.0)  # lines with a lower (negated) number are of no use any more
        self._random = _numbers(seed)
        self._count = 0

    def add(self, texts: dict[str, str]) -> None:
        """Considers one record's lines."""
        self._count += 1
        number = -next(self._random)
        for language, heap in self._heaps.items():
            if not (text := texts.get(language)):
                continue
            if len(text) * 4 > LONGEST_LINE and len(text.encode()) > LONGEST_LINE:
                self.overlong += 1
            elif self._threshold[language] == 0.0 or number > self._threshold[language]:
                self._push(language, heap, (number, self._count, text))

    def lines(self, languages: Sequence[str]) -> list[str]:
        """The sampled lines of some languages, language by language in the order of the corpus."""
        return [
            text for language in languages for _, _, text in sorted(self._heaps[language], key=lambda entry: entry[1])
        ]

    def _push(self, language: str, heap: list[tuple[float, int, str]], entry: tuple[float, int, str]) -> None:
        heapq.heappush(heap, entry)
        self._bytes[language] += len(entry[2].encode())
        while self._bytes[language] > self._limit and len(heap) > 1:
            self._threshold[language], _, text = heapq.heappop(heap)
            self._bytes[language] -= len(text.encode())


def _numbers(seed: int) -> Iterator[float]:
    generator = np.random.Generator(np.random.PCG64(seed))
    while True:
        yield from generator.random(4096).tolist()


def _train(lines: list[str], languages: Sequence[str], settings: TokenizerSettings) -> bytes:
    if not lines:
        raise DataError("corpus.train: no text to train a tokenizer on; check the splits and languages")
    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            model_type=ALGORITHMS[settings.algorithm],
            vocab_size=settings.vocab_size,
            byte_fallback=settings.byte_fallback,
            normalization_rule_name=settings.normalisation,
            remove_extra_whitespaces=settings.collapse_spaces,
            add_dummy_prefix=settings.algorithm != "characters",  # a space before the line, which words need
            character_coverage=settings.character_coverage,
            control_symbols=[*map(symbols.tag, languages), *map(symbols.source_tag, settings.source_tags)],
            pad_id=symbols.PAD,
            unk_id=symbols.UNK,
            bos_id=symbols.BOS,
            eos_id=symbols.EOS,
            num_threads=THREADS,
            max_sentence_length=LONGEST_LINE,
            minloglevel=2,  # its progress lines would drown ours
        )
    except RuntimeError as error:
        raise ConfigError(_unsuitable(str(error), settings.vocab_size)) from error
    return marked_canonical(model.getvalue()) if settings.canonical else model.getvalue()


def _unsuitable(message: str, vocabulary: int) -> str:
    """What to do about sentencepiece's complaint."""
    if limit := re.search(r"value <= (\d+)", message):
        return (
            f"tokenizer.vocab_size: {vocabulary} is more than this text can fill; set tokenizer.vocab_size={limit[1]} "
            "or less (more text, or a larger tokenizer.sample_megabytes, allows more)"
        )
    if least := re.search(r"required_chars\D*\d+ vs (\d+)", message):
        return (
            f"tokenizer.vocab_size: {vocabulary} does not even hold the characters; set it to at least "
            f"{least[1]}, or tokenizer.character_coverage below 1"
        )
    if "char_model" in message:
        return (
            f"tokenizer.vocab_size: {vocabulary} does not hold the 4 symbols, a tag per language and (with "
            "tokenizer.byte_fallback) 256 bytes; set it to at least 300"
        )
    return f"tokenizer.vocab_size: {vocabulary} does not suit this text: {message.rsplit('] ', 1)[-1].strip()}"
