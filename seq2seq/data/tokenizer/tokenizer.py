"""Text to subword ids and back: sentencepiece (Kudo & Richardson 2018), one joint model or one per side.

Ids 0 to 3 are PAD, UNK, BOS and EOS, then one tag per language, then the source tags, then (with byte fallback) 256
bytes, then the pieces. A source line that begins with a source tag and a space (`<BT> A dog.`) is that id and the rest.
The model files hold everything needed to tokenise: sentencepiece's normalisation, and whether lines are read in their
canonical form.
"""

import math
import os
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from sentencepiece import SentencePieceProcessor

from seq2seq import special_tokens as symbols
from seq2seq.data.arrays import Reals
from seq2seq.data.tokenizer.canonical import (
    VERSION,
    TracedText,
    source_text,
    target_text,
    traced_source,
    traced_spaces,
    traced_target,
)
from seq2seq.data.tokenizer.model_check import check_model
from seq2seq.errors import DataError, ModelError

Side = Literal["source", "target"]
Algorithm = Literal["unigram", "bpe", "characters"]
JOINT = "tokenizer.model"
FEW = (
    32  # lines are encoded one by one: a batch, even of one, waits for a thread that sentencepiece starts, 0.1 to 3 ms
)
SOURCE_TAG = re.compile(r"(<[^> ]+>)(?: |$)")
# Appended to a model: field 1000 of its message, which sentencepiece leaves to others and passes over.
CANONICAL, NAME = (
    b"\xc2\x3e\x1aseq2seq canonical text %3d",
    re.compile(rb"\xc2\x3e\x1aseq2seq canonical text ([ \d]{3})$"),
)
PER_SIDE = {"source": "tokenizer.source.model", "target": "tokenizer.target.model"}


class Piece(NamedTuple):
    """The kind of an id: a piece of text, a user-defined symbol, a byte, or a control symbol.

    A unigram model's scores are log-probabilities in nats; a BPE model merges pairs with higher scores first.
    """

    text: str
    score: float
    kind: Literal["piece", "symbol", "byte", "control"]


class Tokenizer:
    """Encodes lines of one side and decodes ids of the target side.

    models: serialised sentencepiece models, `[joint]` or `[source, target]`; their control symbols name the languages.
    threads: how many threads encode a list of lines. Raises ModelError where a model is not one of ours.
    """

    def __init__(self, models: Sequence[bytes], threads: int | None = None) -> None:
        self.models = list(models)
        self.joint = len(self.models) == 1
        self.threads = threads or os.cpu_count() or 1
        processors = [_processor(model) for model in self.models]
        self._processors: dict[Side, SentencePieceProcessor] = {"source": processors[0], "target": processors[-1]}
        self.languages, self.source_tags = _controls(processors[0])
        if _controls(processors[-1]) != (self.languages, self.source_tags):
            raise ModelError("the tokenizer's source and target models know different languages; train them together")
        self.canonical = _is_canonical(self.models[0])
        self._tags = {language: symbols.EOS + 1 + number for number, language in enumerate(self.languages)}
        first = symbols.EOS + 1 + len(self.languages)
        self._source_tags = {symbols.source_tag(name): first + number for number, name in enumerate(self.source_tags)}

    @property
    def sizes(self) -> tuple[int, int]:
        """The number of ids on the source and on the target side."""
        return self._processors["source"].get_piece_size(), self._processors["target"].get_piece_size()

    def tag_id(self, language: str) -> int:
        """The id of a language's tag, the same on both sides. DataError for a language the tokenizer does not know."""
        if language not in self._tags:
            raise DataError(f"unknown language {language!r}; this tokenizer knows {', '.join(self.languages)}")
        return self._tags[language]

    @property
    def never_generated(self) -> list[int]:
        """Ids that no text is made of: PAD, UNK, BOS and all tags."""
        return [symbols.PAD, symbols.UNK, symbols.BOS, *self._tags.values(), *self._source_tags.values()]

    def read(self, line: str, side: Side) -> TracedText:
        """A line as the model reads it, with the origins of its characters.

        A tokenizer that is not canonical changes only spaces and hidden characters.
        """
        if side == "target":
            return traced_target(line)
        return traced_source(line) if self.canonical else traced_spaces(line)

    def encode(self, lines: Sequence[str], language: str, side: Side) -> list[list[int]]:
        """The pieces of each line, a source tag before them, without the language's tag or EOS.

        DataError for a language the tokenizer does not know.
        """
        self.tag_id(language)
        split = [self._tagged(line, side) for line in lines]
        rests = [rest for _, rest in split]
        encode, threads = self._processors[side].encode, min(self.threads, 1 + len(lines) // 256)
        encoded: list[list[int]] = (
            encode(rests, out_type=int, num_threads=threads)
            if len(rests) > FEW
            else [encode(rest, out_type=int) for rest in rests]
        )
        return [[*tags, *ids] for (tags, _), ids in zip(split, encoded, strict=True)] if self.source_tags else encoded

    def decode(self, ids: Sequence[Sequence[int]], language: str) -> list[str]:
        """Lines of text from target-side ids; PAD, BOS, EOS and tags are passed over.

        Bytes that do not make a character become U+FFFD, and a line end becomes a space: a line stays one line.
        """
        self.tag_id(language)
        skipped = symbols.IGNORED | set(self.never_generated) - {symbols.UNK}
        processor = self._processors["target"]
        kept = [[int(piece) for piece in line if int(piece) not in skipped] for line in ids]
        return [processor.decode(line).replace("\n", " ") if line else "" for line in kept]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """How the model spells target-side ids: `["▁a", "</s>"]`; a byte is `<0x41>`."""
        return [self._processors["target"].id_to_piece(int(one)) for one in ids]

    def spelled(self, line: str, side: Side) -> list[str]:
        """The pieces of a line that `encode` returns as ids, with the line's own letters for unknown ones.

        `▁` is a space, `<0x41>` a byte; a source tag is itself.
        """
        tags, rest = self._tagged(line, side)
        names = [self._processors[side].id_to_piece(tag) for tag in tags]
        spelled: list[str] = self._processors[side].encode(rest, out_type=str)
        return [*names, *spelled]

    def best(self, line: str, side: Side, count: int) -> list[list[int]]:
        """The `count` most probable segmentations of a line, best first (unigram models only)."""
        tags, rest = self._tagged(line, side)
        result: list[list[int]] = self._processors[side].nbest_encode(rest, nbest_size=count, out_type=int)
        return [[*tags, *ids] for ids in result]

    def normalised(self, line: str, side: Side) -> tuple[list[int], str]:
        """The source tags that a line begins with, and what the model sees of the rest, with `▁` for a space."""
        tags, rest = self._tagged(line, side)
        return tags, self._processors[side].normalize(rest)

    def listed(self, side: Side) -> list[Piece]:
        """The kind of every id."""
        processor = self._processors[side]
        return [_piece(processor, number) for number in range(processor.get_piece_size())]

    @cached_property
    def characters(self) -> frozenset[str]:
        """What a source line is spelt with: every character that is a piece, and the space."""
        processor = self._processors["source"]
        texts = processor.id_to_piece(list(range(processor.get_piece_size())))
        return frozenset([" ", *(text for text in texts if len(text) == 1)])

    @cached_property
    def unread(self) -> frozenset[int]:
        """The ids of source pieces without text: the unknown symbol and the bytes."""
        processor = self._processors["source"]
        bytes_ = processor.is_byte(list(range(processor.get_piece_size())))
        return frozenset([symbols.UNK, *(number for number, is_byte in enumerate(bytes_) if is_byte)])

    def algorithm(self, side: Side) -> Algorithm:
        """What cuts lines into pieces."""
        if _is_unigram(self._processors[side]):
            return "unigram"
        merges = any(piece.kind == "piece" and len(piece.text) > 1 for piece in self.listed(side))
        return "bpe" if merges else "characters"

    def scores(self, side: Side) -> Reals:
        """Every piece's log-probability in nats (unigram models)."""
        processor = self._processors[side]
        return np.array([processor.get_score(piece) for piece in range(processor.get_piece_size())], dtype=np.float64)

    def parted(self, line: str) -> tuple[str, str]:
        """A source line's tags, unchanged, and the rest of it."""
        rest = line
        while (match := SOURCE_TAG.match(rest)) and match[1] in self._source_tags:
            rest = rest[match.end() :]
        return line[: len(line) - len(rest)], rest

    def _tagged(self, line: str, side: Side) -> tuple[list[int], str]:
        """A line's source tags, and the rest of it as the model reads it."""
        tags: list[int] = []
        while self.source_tags and side == "source" and (match := SOURCE_TAG.match(line)):
            if match[1] not in self._source_tags:
                break
            tags.append(self._source_tags[match[1]])
            line = line[match.end() :]
        if self.canonical:
            line = source_text(line) if side == "source" else target_text(line)
        return tags, line

    def save(self, folder: str | Path) -> None:
        """Writes `tokenizer.model`, or `tokenizer.source.model` and `tokenizer.target.model`, into a folder."""
        names = [JOINT] if self.joint else list(PER_SIDE.values())
        for name, model in zip(names, self.models, strict=True):
            (Path(folder) / name).write_bytes(model)

    @classmethod
    def load(cls, folder: str | Path, threads: int | None = None) -> "Tokenizer":
        """The tokenizer that `save` wrote into a folder. ModelError where there is none."""
        for names in ([JOINT], list(PER_SIDE.values())):
            paths = [Path(folder) / name for name in names]
            if all(path.is_file() for path in paths):
                return cls([path.read_bytes() for path in paths], threads)
        raise ModelError(
            f"{folder}: no {JOINT} and no {' with '.join(PER_SIDE.values())}; give a folder that holds one"
        )


def marked_canonical(model: bytes) -> bytes:
    """A serialised sentencepiece model that records that its text was canonical."""
    return model + CANONICAL % VERSION


def _is_canonical(model: bytes) -> bool:
    """Whether a model records that. ModelError where it needs rules that this toolkit has not."""
    if not (match := NAME.search(model[-40:])):
        return False
    if int(match[1]) != VERSION:
        raise ModelError(
            f"the tokenizer reads text by version {int(match[1])} of the rules for canonical text, this toolkit knows "
            f"version {VERSION}: use a newer toolkit"
        )
    return True


def _processor(model: bytes) -> SentencePieceProcessor:
    check_model(model)
    try:
        processor = SentencePieceProcessor(model_proto=model)
        processor.id_to_piece(list(range(processor.get_piece_size())))
    except (RuntimeError, UnicodeDecodeError) as error:
        raise ModelError(f"the tokenizer's model is damaged: {error}") from error
    result = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
    if result != (symbols.PAD, symbols.UNK, symbols.BOS, symbols.EOS):
        raise ModelError(
            f"the tokenizer's PAD, UNK, BOS and EOS are {result}, expected 0, 1, 2, 3; train it with seq2seq"
        )
    return processor


def _controls(processor: SentencePieceProcessor) -> tuple[list[str], list[str]]:
    """The languages of the tags after EOS, and the names of the source tags after these, in their order."""
    result: tuple[list[str], list[str]] = ([], [])
    spellings = [symbols.tag("|").split("|"), symbols.source_tag("|").split("|")]
    for piece in range(symbols.EOS + 1, processor.get_piece_size()):
        if not processor.is_control(piece):
            break
        spelling = processor.id_to_piece(piece)
        kind = 0 if spelling.startswith(spellings[0][0]) else 1
        before, after = spellings[kind]
        result[kind].append(spelling.removeprefix(before).removesuffix(after))
    return result


def _piece(processor: SentencePieceProcessor, number: int) -> Piece:
    """The piece of an id. User-defined symbols are told from pieces by their score, which is 0 and not -0."""
    text, score = processor.id_to_piece(number), processor.get_score(number)
    if processor.is_byte(number):
        return Piece(text, score, "byte")
    if processor.is_control(number) or processor.is_unknown(number):
        return Piece(text, score, "control")
    return Piece(text, score, "symbol" if math.copysign(1, score) > score == 0 else "piece")


def _is_unigram(processor: SentencePieceProcessor) -> bool:
    """Only a unigram model can list segmentations: those of the others have no probabilities."""
    try:
        return bool(processor.nbest_encode("a", nbest_size=1))
    except RuntimeError:
        return False
