"""How well predicted labels agree with the right ones."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from seq2seq.data.loader.batch import Batch
from seq2seq.errors import DataError
from seq2seq.io.text import Lines
from seq2seq.network.classifier import Classifier
from seq2seq.network.tagger import Tagger
from seq2seq.tasks.labelling.labeller import Labeller, Labelling, probabilities


class Agreement(NamedTuple):
    """Percentages over some lines.

    accuracy: correct labels. macro_f1: the mean of `f1`. f1: for each label that was expected or predicted, 2 * correct
    / (predicted + expected). lines: those with all labels correct. labels: their number.
    """

    accuracy: float
    macro_f1: float
    lines: float
    labels: int
    f1: dict[str, float]


class LabelCounts:
    """Gathers predictions line by line."""

    def __init__(self) -> None:
        self._right: Counter[str] = Counter()
        self._predicted: Counter[str] = Counter()
        self._wanted: Counter[str] = Counter()
        self._lines = self._whole = 0

    def add(self, predicted: Sequence[str], expected: Sequence[str]) -> None:
        """The labels of one line."""
        assert len(predicted) == len(expected)
        self._predicted.update(predicted)
        self._wanted.update(expected)
        self._right.update(one for one, other in zip(predicted, expected, strict=True) if one == other)
        self._lines += 1
        self._whole += list(predicted) == list(expected)

    def agreement(self) -> Agreement:
        """Of everything so far; zeros where there was nothing."""
        seen = self._predicted + self._wanted
        f1 = {name: 200 * self._right[name] / count for name, count in sorted(seen.items())}
        count = self._wanted.total()
        return Agreement(
            accuracy=100 * self._right.total() / max(1, count),
            macro_f1=sum(f1.values()) / max(1, len(f1)),
            lines=100 * self._whole / max(1, self._lines),
            labels=count,
            f1=f1,
        )


class Reference:
    """A labeller beside the file `path` of correct labels, line by line.

    A label on a line that is blank for the labeller counts as missed. Raises DataError for another number of lines, or
    of a tagger's labels on a line.
    """

    def __init__(self, labeller: Labeller, path: Path) -> None:
        self.labeller, self.path = labeller, path
        self.counts = LabelCounts()
        self.number = 0
        self._wanted = iter(Lines(path))

    def label_chunks(self, chunks: Iterable[Sequence[str]]) -> Iterator[list[Labelling]]:
        """What the labeller gives."""
        for result in self.labeller.label_chunks(chunks):
            for one in result:
                self._compare(one)
            yield result

    def agreement(self) -> Agreement:
        """Of everything that passed, which must have been all."""
        if more := sum(1 for _ in self._wanted):
            raise DataError(
                f"{self.path} has {self.number + more:,} lines, more lines than the input's {self.number:,}; give the "
                "labels of its lines"
            )
        return self.counts.agreement()

    def _compare(self, labelling: Labelling) -> None:
        line = next(self._wanted, None)
        self.number += 1
        if line is None:
            raise DataError(f"{self.path}: ends before line {self.number:,} of the input; give the labels of its lines")
        expected = self.labeller.tokenizer.named(line)
        predicted = labelling.labels or ("",) * len(expected)
        if len(expected) != len(predicted):
            raise DataError(
                f"{self.path}:{self.number}: expected {len(predicted)} labels as in the input, got {len(expected)}"
            )
        if expected:
            self.counts.add(predicted, expected)


class HeldOut:
    """Scores of the batches of `batches()`: nats a label; accuracy and macro F1 in percent, of a tagger lines too."""

    def __init__(
        self,
        model: Classifier | Tagger,
        names: Sequence[str],
        batches: Callable[[], Iterable[Batch]],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.model, self.names, self.batches = model, names, batches
        self.dtype, self.device = dtype, device

    @torch.inference_mode()
    def __call__(self) -> dict[str, float]:
        """`{"loss": 0.1, "accuracy": 97.1, "macro_f1": 96.9}`, with the model in evaluation mode."""
        counts = LabelCounts()
        nats = 0.0
        for batch in self.batches():
            result = probabilities(self.model, batch, self.dtype, self.device).cpu()
            labelled = batch.target_mask[:, 1:]
            gold = batch.target[:, 1:][labelled]
            nats -= float(result.gather(1, gold.unsqueeze(1)).log().sum())
            each = labelled.sum(1).tolist()
            for predicted, expected in zip(torch.split(result.argmax(1), each), torch.split(gold, each), strict=True):
                counts.add(self._named(predicted), self._named(expected))
        one = counts.agreement()
        scores = {"loss": nats / max(1, one.labels), "accuracy": one.accuracy, "macro_f1": one.macro_f1}
        return {**scores, "lines": one.lines} if isinstance(self.model, Tagger) else scores

    def _named(self, labels: Int[Tensor, " asked"]) -> list[str]:
        return [self.names[label] for label in labels.tolist()]
