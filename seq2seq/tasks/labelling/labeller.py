"""Lines to labels: a classifier or a tagger with its tokenizer."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from seq2seq.config.typecheck import check_lines
from seq2seq.data.arrays import Pieces
from seq2seq.data.loader.batch import Batch
from seq2seq.data.loader.labelled_loader import classified, tagged
from seq2seq.data.loader.loader import fill
from seq2seq.data.tokenizer.labelled_tokenizer import ClassTokenizer, TagTokenizer, items
from seq2seq.device import autocast
from seq2seq.errors import ConfigError
from seq2seq.network.classifier import Classifier
from seq2seq.network.tagger import Tagger


class LabelStatus(StrEnum):
    """What became of a line."""

    OK = "ok"
    BLANK = "blank"  # nothing to label; the model never saw it


class Labelling(NamedTuple):
    """One line's labels, one (of a classifier) or one a token, and each one's probabilities of all labels in order."""

    labels: tuple[str, ...]
    probabilities: tuple[tuple[float, ...], ...]
    status: LabelStatus


class Labeller:
    """Labels lines, N in and N out, of any length.

    model: in evaluation mode, on `device`. tokenizer: of its kind. batch_tokens: pieces of a batch, padding included; a
    longer line is a batch of its own. dtype: of the large products (`seq2seq.device.precision`).
    """

    def __init__(
        self,
        model: Classifier | Tagger,
        tokenizer: ClassTokenizer,
        batch_tokens: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        if batch_tokens < 1:
            raise ConfigError(f"batch_tokens: expected a positive int, got {batch_tokens}")
        assert isinstance(model, Tagger) == isinstance(tokenizer, TagTokenizer)
        self.model, self.tokenizer, self.batch_tokens = model, tokenizer, batch_tokens
        self.dtype, self.device = dtype, device

    @property
    def tags(self) -> bool:
        """Whether every token of a line gets a label."""
        return isinstance(self.tokenizer, TagTokenizer)

    def label_chunks(self, chunks: Iterable[Sequence[str]]) -> Iterator[list[Labelling]]:
        """The labels of every line, chunk by chunk; the lines of a chunk are batched among themselves."""
        check_lines(chunks, "chunks")
        return (self._label_chunk(lines) for lines in chunks)

    def _label_chunk(self, lines: Sequence[str]) -> list[Labelling]:
        encoded = self.tokenizer.encode(lines, self.tokenizer.languages[0], "source")
        valid = [number for number, line in enumerate(lines) if encoded[number] and (self.tags or line.strip())]
        result = [Labelling((), (), LabelStatus.BLANK)] * len(lines)
        order = sorted(valid, key=lambda number: len(encoded[number]))
        lengths = np.array([len(encoded[number]) + 1 for number in order], dtype=np.int64)
        edges = fill(lengths, lengths, self.batch_tokens)
        for start, end in pairwise(edges):
            if numbers := order[start:end]:
                counts = [len(items(lines[number])) if self.tags else 1 for number in numbers]
                probabilities = self._probabilities([encoded[number] for number in numbers], counts)
                for number, rows in zip(numbers, torch.split(probabilities, counts), strict=True):
                    best = [self.tokenizer.labels.names[label] for label in rows.argmax(-1).tolist()]
                    result[number] = Labelling(tuple(best), tuple(map(tuple, rows.tolist())), LabelStatus.OK)
        return result

    @torch.inference_mode()
    def _probabilities(self, rows: list[list[int]], counts: list[int]) -> Float[Tensor, "asked labels"]:
        """Those of all labels asked for, row after row."""
        assert not self.model.training, "dropout would label differently every time"
        source: list[Pieces] = [np.array(row, dtype=np.int64) for row in rows]
        holes: list[Pieces] = [np.zeros(count, dtype=np.int64) for count in counts]
        numbers = np.arange(len(rows), dtype=np.int64)
        if isinstance(self.tokenizer, TagTokenizer):
            batch = tagged(source, holes, self.tokenizer.raised, numbers)
        else:
            batch = classified(source, holes, numbers)
        return probabilities(self.model, batch, self.dtype, self.device).cpu()


def probabilities(
    model: Classifier | Tagger, batch: Batch, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "asked labels"]:
    """Of every label that a batch asks for, in fp64, so that they sum to one."""
    batch = Batch(*(tensor.to(device) for tensor in batch))
    with autocast(dtype, device):
        features = model(batch)
    return model.logits(features.float()).double().softmax(-1)
