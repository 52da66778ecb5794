"""Lines to lines: a model, its tokenizer and a search as one translator."""

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
from seq2seq.translation.searcher import DecodeOptions, Found, Searcher, Segment
from seq2seq.translation.shortlist.shortlist import Shortlist
from seq2seq.translation.stages.chunking import Chunk, TranslatedChunk, join_chunks, joined, split_into_chunks
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
SHARES = 6  # a batch is at most such a share of what is left of a chunk: with the last ones processes end together
NO_LENGTHS: LengthsOf = {}


class Translator:
    """Translates lines in the directions that the model was trained on.

    model: in evaluation mode, on `device`. max_source_length: tokens of a sentence; longer ones are split.
    max_sentences: of a line that are translated together; None takes for both what was usual in the direction's
    training text, `lengths`. batch_tokens: source tokens of a batch, padding included,
    times the hypotheses that a search has side by side. dtype: of the large products
    (`seq2seq.device.precision`). repair: what becomes of translations that loop; None leaves them. languages: tell
    what is in the wrong one; None cannot tell. unknown_words: what becomes of what the tokenizer has no pieces for:
    `keep` shows it to the model as bytes, `symbols` copies emoji and other signs into the translation, `copy` words
    too. shortlist: whether to search among the pieces of `learnt_shortlist` alone, where there is one. passthrough:
    what is copied because nobody translates it; None: nothing. letterless: the directions in which the model may have
    learnt to translate lines without letters. casing: whether lines in capitals and in title case are read in the case
    of training text. usage: how training text is written. Threads may share a translator.
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
        among = learnt_shortlist if shortlist else None
        self.searcher = Searcher(model, search, tokenizer, dtype, device, repair, languages, among)
        self.unknown_words, self.passthrough, self.letterless = unknown_words, passthrough, letterless
        self.casing, self.usage = casing, usage
        self._alone = InlineExecutor(self.searcher)
        self._own = threading.local()  # what the calling thread has asked for: in_processes is nobody else's business

    @contextmanager
    def in_processes(self, count: int) -> Iterator[None]:
        """Inside, and for this thread alone, so many processes translate side by side, where that is possible.

        That is in the main thread, on a CPU; elsewhere so many threads work inside each product. The translations
        are the same; they must be taken inside.
        """
        before, threads = self._searching, torch.get_num_threads()
        self._own.searching = inside = executor(self.searcher, count)
        try:
            yield
        finally:
            inside.close()
            self._own.searching = before
            torch.set_num_threads(threads)

    @property
    def _searching(self) -> Executor:
        result: Executor = getattr(self._own, "searching", self._alone)
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
        """One translation a line, in order; `source` and `target` are languages.

        tokens, alignments: whether to tell them too (see Candidate). glossary: terms and the phrases they must become;
        needs the search `constrained`. dictionary: what takes the place of words that are copied (see `unknown`).
        The first lines come out before the last ones are read, and memory does not grow with their number.
        Raises ConfigError at once where the model was not trained on the direction, or cannot do what is asked.
        """
        check_lines(lines)
        wishes = TranslateOptions(tokens, alignments, dictionary or {}, Glossary(glossary) if glossary else None)
        chunks = self.translate_chunks(growing(lines, extent), source, target, wishes)
        return (translation for chunk in chunks for translation in chunk)

    def stream(
        self,
        lines: Iterable[str | Line],
        source: str,
        target: str,
        most: int = 256,
        tokens: bool = False,
        alignments: bool = False,
        glossary: Mapping[str, str] | None = None,
        dictionary: Mapping[str, str] | None = None,
    ) -> Iterator[Translation]:
        """The same for lines that come one by one, perhaps for ever: each is translated as soon as it is there.

        A thread takes the lines, at most `most` before one is translated; what has come meanwhile is one batch.
        """
        check_lines(lines)
        wishes = TranslateOptions(tokens, alignments, dictionary or {}, Glossary(glossary) if glossary else None)
        chunks = self.translate_chunks(live_chunks(lines, most), source, target, wishes)
        return (translation for chunk in chunks for translation in chunk)

    def translate_chunks(
        self, chunks: Iterable[Sequence[str | Line]], source: str, target: str, options: TranslateOptions = NOTHING
    ) -> Iterator[list[Translation]]:
        """The same, chunk by chunk; the lines of a chunk are sorted and batched among themselves."""
        check_lines(chunks, "chunks")
        source, target = self.direction(source, target)
        if options.alignments:
            self.searcher.forcing.check()
        if options.tokens:
            self.searcher.check_tokens()
        constrained = isinstance(self.searcher.search, Constrained)
        copied = PreprocessSettings(
            self.unknown_words, self.passthrough, (source, target) in self.letterless, self.casing, self.usage
        )
        asked = (options, copied, constrained, self.searcher.aligns)
        preparing = Preprocessor(self.tokenizer, source, target, *asked)
        lengths = self.lengths.get((source, target), Lengths())
        order = DecodeOptions(target, tokens=options.tokens, alignments=options.alignments, lengths=lengths)
        how, ahead = self._searching, self._searching.ahead  # prefetch asks from a thread of its own
        limits = self.limits(source, target)
        apart = self.tokenizer.characters.isdisjoint(FULL_STOPS)
        every = (some for lines in chunks for some in split_into_chunks(lines, source, WINDOW * limits.tokens, apart))
        begun = (self._begin(some, preparing, order, limits, how) for some in every)
        promised = prefetch(begun, ahead) if ahead else begun
        return join_chunks((self._finish(one, preparing, order) for one in promised), source, target)

    def direction(self, source: str, target: str) -> tuple[str, str]:
        """The direction by the names it was trained under: `zho` is the `zh` of a model that has no other Chinese.

        Raises ConfigError with what is allowed, where the model was not trained on it, or on several that may be meant.
        """
        meant = matching_directions(source, target, self.directions)
        if len(meant) == 1:
            return meant[0]
        known = ", ".join(f"{one}-{other}" for one, other in meant or self.directions)
        problem = "may be several of the model's directions" if meant else "this model translates"
        raise ConfigError(f"source={source} target={target}: {problem} {known}; choose one of these")

    def limits(self, source: str, target: str) -> SegmentLimits:
        """What a part of a line in this direction has at most."""
        learnt = self.lengths.get((source, target), Lengths())
        return SegmentLimits(self.max_source_length or learnt.tokens, self.max_sentences or learnt.sentences)

    def _begin(
        self, chunk: Chunk, preparing: Preprocessor, order: DecodeOptions, limits: SegmentLimits, how: Executor
    ) -> "PendingChunk":
        """Hand in a portion's parts; similar lengths are searched together, the longest first."""
        prepared = [preparing.line(one) for one in chunk.segments]
        texts = [one.masked.text for one in prepared]
        source = preparing.source
        # Whoever requires a phrase does not say of which sentence: they stay together as far as they may be long.
        own = [
            limits._replace(sentences=len(one.given.text) or 1) if one.given.required else limits for one in prepared
        ]
        result = rows(texts, source, lambda units: self.tokenizer.encode(units, source, "source"), own)
        parts = [part for one, cuts in zip(prepared, result, strict=True) for part in preparing.parts(one, cuts)]
        longest = sorted(range(len(parts)), key=lambda part: -len(parts[part].ids))
        batches = list(self._batches(longest, parts))
        promised = [how.submit([parts[part] for part in batch], order) for batch in batches]
        begins = [
            places(text, [cut.text for cut in cuts], source) if len(cuts) > 1 else [0]
            for text, cuts in zip(texts, result, strict=True)
        ]
        return PendingChunk(
            chunk, prepared, [[cut.whole for cut in cuts] for cuts in result], begins, batches, promised
        )

    def _finish(self, promises: "PendingChunk", preparing: Preprocessor, order: DecodeOptions) -> TranslatedChunk:
        """The translations of a portion's stretches."""
        answers = {
            part: answer
            for batch, result in zip(promises.batches, promises.found, strict=True)
            for part, answer in zip(batch, wait(result), strict=True)
        }
        remaining = iter(answers[part] for part in range(len(answers)))
        translations = []
        for prepared, whole, begins in zip(promises.lines, promises.whole, promises.begins, strict=True):
            own, broken = [next(remaining) for _ in whole], not all(whole)
            result = joined(own, prepared.masked.text, begins, broken, preparing.source, order, self.tokenizer)
            translations.append(preparing.finished(result, prepared))
        return TranslatedChunk(promises.chunk, [prepared.given.text for prepared in promises.lines], translations)

    def _batches(self, order: list[int], parts: list[Segment]) -> Iterator[list[int]]:
        """Neighbours in `order` whose padded rows have at most `batch_tokens` tokens together, times their hypotheses.

        On a CPU at most a share of what is left, but not below a size that costs time: large batches are fastest, and
        with small ones at the end several processes end at about the same time. How many there are changes no batch.
        """
        search = self.searcher.search
        most = self.batch_tokens // (search.beam_size if isinstance(search, HasBeamSize) else 1)
        left, shared = sum(len(parts[part].ids) for part in order), self.searcher.device.type == "cpu"
        while order:
            limit = min(most, max(SMALLEST_BATCH, left // SHARES)) if shared else most
            batch = order[: max(1, limit // (len(parts[order[0]].ids) + 2))]
            yield batch
            order = order[len(batch) :]
            left -= sum(len(parts[part].ids) for part in batch)


class PendingChunk(NamedTuple):
    """A portion under way: its stretches; of each part whether it is whole and where it begins; batches, promises."""

    chunk: Chunk
    lines: list[PreprocessedLine]
    whole: list[list[bool]]
    begins: list[list[int]]
    batches: list[list[int]]
    found: "list[Future[Found]]"


def extent(line: str | Line) -> int:
    """A line's length in characters."""
    return len(line.text if isinstance(line, Line) else line)
