"""A translator: a model, its tokenizer and a search that turn lines of text into translations."""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import NamedTuple

import torch

from seq2seq.config.typecheck import check_lines
from seq2seq.data.loader.prefetch import prefetch
from seq2seq.data.sentence_splitter import FULL_STOPS
from seq2seq.data.tokenizer.tokenizer import Tokenizer
from seq2seq.errors import ConfigError
from seq2seq.io.live_input import live_chunks
from seq2seq.io.text import growing
from seq2seq.languages import matching_directions
from seq2seq.network.state import AutoregressiveModel
from seq2seq.search.base import HasBeamSize, Search
from seq2seq.search.constrained import Constrained
from seq2seq.translation.checks.completeness import FEWEST_TOKENS, Lengths, LengthsOf
from seq2seq.translation.checks.language_id import LanguageIdentifier
from seq2seq.translation.checks.repair import Repair
from seq2seq.translation.checks.usage import Usage
from seq2seq.translation.executor import Executor, InlineExecutor, executor, wait
from seq2seq.translation.line import Line
from seq2seq.translation.searcher import DecodeOptions, Searcher, Segment, SegmentResults
from seq2seq.translation.shortlist.shortlist import Shortlist
from seq2seq.translation.stages.chunking import Chunk, TranslatedChunk, join_chunks, join_segments, split_into_chunks
from seq2seq.translation.stages.glossary import Glossary
from seq2seq.translation.stages.passthrough import Passthrough
from seq2seq.translation.stages.placeholders import Unknown
from seq2seq.translation.stages.preprocess import PreprocessedLine, Preprocessor, PreprocessSettings, TranslateOptions
from seq2seq.translation.stages.segmentation import WINDOW, SegmentLimits, rows
from seq2seq.translation.stages.words import places
from seq2seq.translation.translation import Translation

NOTHING = TranslateOptions()
NO_USAGE = Usage()
SMALLEST_BATCH = 1500  # tokens; with 500 the same search takes a quarter longer
SHARES = 6  # a batch is at most this share of the rest of a chunk: small last batches let processes end together
NO_LENGTHS: LengthsOf = {}


class Translator:
    """Translates lines in the directions that the model was trained on. Threads may share a translator.

    Args:
        model: In evaluation mode, on `device`.
        tokenizer: Of both sides.
        search: The search algorithm.
        directions: Pairs of language codes, `("en", "de")`.
        max_source_length: Tokens of a segment; longer sentences are split. None: usual in training (`lengths`).
        max_sentences: Sentences of a segment. None: usual in training (`lengths`).
        batch_tokens: Source tokens of a batch, padding included, times the beam size.
        dtype: Of the large matrix products (`seq2seq.device.precision`).
        device: Of the model.
        repair: Searches translations that repeat themselves again. None: off.
        languages: Detects translations in the wrong language. None: off.
        unknown_words: Text that the tokenizer has no pieces for: `keep` encodes it as bytes, `symbols` copies emoji and
            other symbols into the translation, `copy` words too.
        lengths: Statistics of the training text of each direction.
        passthrough: Finds text that is copied without translation (addresses, tags). None: off.
        letterless: Directions whose training text translates lines without letters.
        shortlist: Whether to search among the pieces of `learnt_shortlist` only, if there is one.
        casing: Whether lines in capitals or title case are read in the case of the training text.
        usage: Statistics of the training text's numbers and capitals.

    Raises:
        ConfigError: For a value out of range.
    """

    def __init__(
        self,
        model: AutoregressiveModel,
        tokenizer: Tokenizer,
        search: Search,
        directions: Sequence[tuple[str, str]],
        max_source_length: int | None,
        batch_tokens: int,
        dtype: torch.dtype,
        device: torch.device,
        repair: Repair | None = None,
        languages: LanguageIdentifier | None = None,
        unknown_words: Unknown = "keep",
        max_sentences: int | None = None,
        lengths: LengthsOf = NO_LENGTHS,
        passthrough: Passthrough | None = None,
        letterless: Collection[tuple[str, str]] = (),
        shortlist: bool = False,
        learnt_shortlist: Shortlist | None = None,
        casing: bool = False,
        usage: Usage = NO_USAGE,
    ) -> None:
        if max_source_length is not None and max_source_length < FEWEST_TOKENS:
            raise ConfigError(
                f"max_source_length: expected at least {FEWEST_TOKENS} tokens or null, got {max_source_length}"
            )
        if max_sentences is not None and max_sentences < 1:
            raise ConfigError(f"max_sentences: expected a positive int or null, got {max_sentences}")
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens: expected a positive int, got {batch_tokens}")
        self.tokenizer = tokenizer
        self.directions = list(directions)
        self.max_source_length, self.max_sentences, self.lengths = max_source_length, max_sentences, lengths
        self.batch_tokens = batch_tokens
        used_shortlist = learnt_shortlist if shortlist else None
        self.searcher = Searcher(model, search, tokenizer, dtype, device, repair, languages, used_shortlist)
        self.unknown_words, self.passthrough, self.letterless = unknown_words, passthrough, letterless
        self.casing, self.usage = casing, usage
        self._inline = InlineExecutor(self.searcher)
        self._thread = threading.local()  # in_processes holds for the thread that calls it

    @contextmanager
    def in_processes(self, count: int) -> Iterator[None]:
        """Inside the `with` block, `count` processes translate for the calling thread.

        Processes are forked in the main thread, on a CPU, on Linux; elsewhere `count` threads share each matrix
        product. The translations are the same. Iterate over them inside the block.
        """
        outer, threads = self._executor, torch.get_num_threads()
        self._thread.executor = inner = executor(self.searcher, count)
        try:
            yield
        finally:
            inner.close()
            self._thread.executor = outer
            torch.set_num_threads(threads)

    @property
    def _executor(self) -> Executor:
        result: Executor = getattr(self._thread, "executor", self._inline)
        return result

    def translate(
        self,
        lines: Iterable[str | Line],
        source: str,
        target: str,
        tokens: bool = False,
        alignments: bool = False,
        glossary: Mapping[str, str] | None = None,
        dictionary: Mapping[str, str] | None = None,
    ) -> Iterator[Translation]:
        """Translates lines: one Translation per line, in order.

        The first translations are returned before the last lines are read; memory does not grow with their number.

        Args:
            lines: Text, or Line for a line with a prefix, required or banned phrases.
            source: Language code of the lines.
            target: Language code of the translations.
            tokens: Whether candidates hold their tokens with log-probabilities.
            alignments: Whether candidates hold word alignments.
            glossary: Terms and the phrases that their translations must contain; needs the search `constrained`.
            dictionary: Translations of words that `unknown_words` copies.

        Raises:
            ConfigError: The model was not trained on the direction, or does not support an option.
        """
        check_lines(lines)
        options = TranslateOptions(tokens, alignments, dictionary or {}, Glossary(glossary) if glossary else None)
        chunks = self.translate_chunks(growing(lines, characters), source, target, options)
        return (translation for chunk in chunks for translation in chunk)

    def stream(
        self,
        lines: Iterable[str | Line],
        source: str,
        target: str,
        max_waiting: int = 256,
        tokens: bool = False,
        alignments: bool = False,
        glossary: Mapping[str, str] | None = None,
        dictionary: Mapping[str, str] | None = None,
    ) -> Iterator[Translation]:
        """Translates lines that arrive one by one, each as soon as it arrives; the iterator may be endless.

        A thread reads ahead, up to `max_waiting` lines; lines that arrived meanwhile form a batch. All other arguments
        are those of `translate`.
        """
        check_lines(lines)
        options = TranslateOptions(tokens, alignments, dictionary or {}, Glossary(glossary) if glossary else None)
        chunks = self.translate_chunks(live_chunks(lines, max_waiting), source, target, options)
        return (translation for chunk in chunks for translation in chunk)

    def translate_chunks(
        self, chunks: Iterable[Sequence[str | Line]], source: str, target: str, options: TranslateOptions = NOTHING
    ) -> Iterator[list[Translation]]:
        """Translates chunks of lines; the lines of a chunk are sorted by length and batched."""
        check_lines(chunks, "chunks")
        source, target = self.direction(source, target)
        if options.alignments:
            self.searcher.forcing.check()
        if options.tokens:
            self.searcher.check_tokens()
        constrained = isinstance(self.searcher.search, Constrained)
        settings = PreprocessSettings(
            self.unknown_words, self.passthrough, (source, target) in self.letterless, self.casing, self.usage
        )
        preprocessor = Preprocessor(
            self.tokenizer, source, target, options, settings, constrained, self.searcher.aligns
        )
        lengths = self.lengths.get((source, target), Lengths())
        decoding = DecodeOptions(target, tokens=options.tokens, alignments=options.alignments, lengths=lengths)
        executor = self._executor  # of this thread: prefetch runs in another one
        limits = self.limits(source, target)
        no_full_stops = self.tokenizer.characters.isdisjoint(FULL_STOPS)
        window = WINDOW * limits.tokens
        split = (part for lines in chunks for part in split_into_chunks(lines, source, window, no_full_stops))
        pending: Iterator[PendingChunk] = (
            self._submit(chunk, preprocessor, decoding, limits, executor) for chunk in split
        )
        if executor.ahead:
            pending = prefetch(pending, executor.ahead)
        return join_chunks((self._finish(chunk, preprocessor, decoding) for chunk in pending), source, target)

    def direction(self, source: str, target: str) -> tuple[str, str]:
        """The direction under its names in training: `zho` is `zh` for a model that has no other Chinese.

        Raises ConfigError, with the directions that exist, if none or several match.
        """
        matches = matching_directions(source, target, self.directions)
        if len(matches) == 1:
            return matches[0]
        known = ", ".join("-".join(direction) for direction in matches or self.directions)
        problem = "matches several of the model's directions:" if matches else "this model translates"
        raise ConfigError(f"source={source} target={target}: {problem} {known}; choose one of these")

    def limits(self, source: str, target: str) -> SegmentLimits:
        """The largest segment of a line in this direction."""
        usual = self.lengths.get((source, target), Lengths())
        return SegmentLimits(self.max_source_length or usual.tokens, self.max_sentences or usual.sentences)

    def _submit(
        self,
        chunk: Chunk,
        preprocessor: Preprocessor,
        decoding: DecodeOptions,
        limits: SegmentLimits,
        executor: Executor,
    ) -> "PendingChunk":
        """Splits the lines of a chunk into segments and submits these in batches, the longest segments first."""
        lines = [preprocessor.line(line) for line in chunk.segments]
        texts = [line.masked.text for line in lines]
        language = preprocessor.source
        # a required phrase may belong to any sentence of its line: they stay together as far as their length allows
        limits_of_lines = [
            limits._replace(sentences=len(line.given.text) or 1) if line.given.required else limits for line in lines
        ]
        cuts_of_lines = rows(
            texts, language, lambda units: self.tokenizer.encode(units, language, "source"), limits_of_lines
        )
        segments = [
            segment
            for line, cuts in zip(lines, cuts_of_lines, strict=True)
            for segment in preprocessor.parts(line, cuts)
        ]
        batches = list(self._batches(segments))
        futures = [executor.submit([segments[number] for number in batch], decoding) for batch in batches]
        begins = [
            places(text, [cut.text for cut in cuts], language) if len(cuts) > 1 else [0]
            for text, cuts in zip(texts, cuts_of_lines, strict=True)
        ]
        whole = [[cut.whole for cut in cuts] for cuts in cuts_of_lines]
        return PendingChunk(chunk, lines, whole, begins, batches, futures)

    def _finish(self, pending: "PendingChunk", preprocessor: Preprocessor, decoding: DecodeOptions) -> TranslatedChunk:
        """Waits for the segments of a chunk, joins them and postprocesses each line."""
        results = {
            number: result
            for batch, future in zip(pending.batches, pending.futures, strict=True)
            for number, result in zip(batch, wait(future), strict=True)
        }
        remaining = iter(results[number] for number in range(len(results)))
        translations = []
        for line, whole, begins in zip(pending.lines, pending.whole, pending.begins, strict=True):
            segments = [next(remaining) for _ in whole]
            text, broken = line.masked.text, not all(whole)
            translation = join_segments(segments, text, begins, broken, preprocessor.source, decoding, self.tokenizer)
            translations.append(preprocessor.finished(translation, line))
        return TranslatedChunk(pending.chunk, [line.given.text for line in pending.lines], translations)

    def _batches(self, segments: list[Segment]) -> Iterator[list[int]]:
        """Numbers of segments, by length, whose padded rows have at most `batch_tokens` tokens times the beam size.

        On a CPU a batch is also at most a share of what is left: large batches are fastest, and with small ones at the
        end several processes end at about the same time. The number of processes changes no batch.
        """
        order = sorted(range(len(segments)), key=lambda number: -len(segments[number].ids))
        search = self.searcher.search
        largest = self.batch_tokens // (search.beam_size if isinstance(search, HasBeamSize) else 1)
        left, on_cpu = sum(len(segment.ids) for segment in segments), self.searcher.device.type == "cpu"
        while order:
            limit = min(largest, max(SMALLEST_BATCH, left // SHARES)) if on_cpu else largest
            batch = order[: max(1, limit // (len(segments[order[0]].ids) + 2))]
            yield batch
            order = order[len(batch) :]
            left -= sum(len(segments[number].ids) for number in batch)


class PendingChunk(NamedTuple):
    """A chunk whose segments are being searched.

    `whole`: for each segment of each line whether it ends where a sentence ends; `begins`: its first word in the line.
    """

    chunk: Chunk
    lines: list[PreprocessedLine]
    whole: list[list[bool]]
    begins: list[list[int]]
    batches: list[list[int]]
    futures: "list[Future[SegmentResults]]"


def characters(line: str | Line) -> int:
    """The length of a line in characters."""
    return len(line.text if isinstance(line, Line) else line)
